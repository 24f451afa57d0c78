#!/bin/sh
# check-cuda.sh LIBRARY: fails unless this system has every CUDA library that ONNX Runtime's CUDA provider was linked
# with. Which major version that is changes between its releases, so it is read from the file, not assumed.
set -eu
library=$1
needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(lib\(cu\|nv\)[^]]*\)\].*/\1/p')
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
