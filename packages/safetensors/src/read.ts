// Reading from files. The header is read alone, so that a checkpoint of many gigabytes opens in
// milliseconds and its tensors can be referenced in place by (file, offset, length).

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type DtypeArray, type SafetensorsDtype, viewAs } from './dtype.ts';
import { SafetensorsError } from './errors.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from './half.ts';
import {
  headerLength,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorEntry,
  truncated,
} from './header.ts';

// One read call moves at most 2 GiB; stay below.
const MAX_READ_BYTES = 1 << 30;

/**
 * Reads and checks the header of a safetensors file; the tensors are not touched.
 * @throws SafetensorsError if the file is not one, is truncated or inconsistent
 */
export function readHeader(path: string): SafetensorsHeader {
  return withFile(path, (fd) => {
    const fileSize = fstatSync(fd).size;
    const start = readRange(path, fd, 0, Math.min(fileSize, LENGTH_BYTES + 1));
    const length = headerLength(path, start, fileSize);
    return parseHeader(path, readRange(path, fd, LENGTH_BYTES, length), fileSize);
  });
}

/**
 * Reads one tensor as the typed array of its dtype (F16 and BF16 as bit patterns).
 * @throws SafetensorsError `truncated` if the file has shrunk since its header was read
 */
export function readTensor<D extends SafetensorsDtype>(
  path: string,
  entry: TensorEntry & { readonly dtype: D },
): DtypeArray<D> {
  const bytes = withFile(path, (fd) => readRange(path, fd, entry.offset, entry.byteLength));
  return viewAs(entry.dtype, bytes);
}

/**
 * Reads one tensor as float32, whatever its dtype; 64-bit types lose precision.
 * @throws SafetensorsError `unsupported_conversion` for 8-bit floats
 */
export function readFloat32(path: string, entry: TensorEntry): Float32Array {
  return toFloat32(entry.dtype, readTensor(path, entry), `${path}: tensor "${entry.name}"`);
}

/**
 * Converts the elements of a tensor to float32; a Float32Array is returned as it is.
 * @param source what to call the tensor in a message
 * @throws SafetensorsError `unsupported_conversion` for 8-bit floats
 */
export function toFloat32(
  dtype: SafetensorsDtype,
  data: DtypeArray,
  source = 'tensor',
): Float32Array {
  switch (dtype) {
    case 'F32':
      return data as Float32Array;
    case 'F16':
      return float16ToFloat32(data as Uint16Array);
    case 'BF16':
      return bfloat16ToFloat32(data as Uint16Array);
    case 'I64':
    case 'U64':
      return Float32Array.from(data as BigInt64Array | BigUint64Array, Number);
    case 'F64':
    case 'I32':
    case 'I16':
    case 'I8':
    case 'U32':
    case 'U16':
    case 'U8':
    case 'BOOL':
      return new Float32Array(data as Exclude<DtypeArray, BigInt64Array | BigUint64Array>);
    case 'F8_E4M3':
    case 'F8_E5M2':
      throw new SafetensorsError(
        'unsupported_conversion',
        `${source}: ${dtype} cannot be read as float32; convert the file to F32, F16 or BF16`,
      );
    default:
      return dtype satisfies never;
  }
}

function withFile<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function readRange(path: string, fd: number, offset: number, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let done = 0;
  while (done < byteLength) {
    const wanted = Math.min(byteLength - done, MAX_READ_BYTES);
    const count = readSync(fd, bytes, done, wanted, offset + done);
    if (count === 0) throw truncated(path, offset + byteLength, offset + done);
    done += count;
  }
  return bytes;
}
