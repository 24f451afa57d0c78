#!/bin/sh
# check-cuda.sh LIBRARY: fails unless this system has every CUDA library that ONNX Runtime's CUDA provider was linked
# with. Which major version that is changes between its releases, so it is read from the file, not assumed. The driver's
# libraries (libcuda.so.1, libnvidia-*) are the host's: it adds them when a container starts.
set -eu
library=$1
needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(lib\(cu\|nv\)[^]]*\)\].*/\1/p' | grep -v '^libcuda\.so\|^libnvidia-' || true)
if [ -z "$needed" ]; then
  echo "$library names no CUDA libraries; is it the CUDA provider?" >&2
  exit 1
fi
known=$(ldconfig -p)
missing=
for name in $needed; do
  case $known in *"$name"*) ;; *) missing="$missing $name" ;; esac
done
if [ -n "$missing" ]; then
  echo "the base image lacks$missing, which $library needs; build with another --build-arg CUDA_IMAGE" >&2
  exit 1
fi
echo "CUDA libraries found:" $needed
