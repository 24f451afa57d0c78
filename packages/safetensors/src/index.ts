export type { DtypeArray, SafetensorsDtype } from './dtype.ts';
export { elementCount, itemSize } from './dtype.ts';
export type { DecodedSafetensors, TensorData } from './encode.ts';
export { decodeSafetensors, encodeSafetensors } from './encode.ts';
export type { SafetensorsErrorCode } from './errors.ts';
export { SafetensorsError } from './errors.ts';
export {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from './half.ts';
export type { SafetensorsHeader, TensorEntry } from './header.ts';
export { MAX_HEADER_BYTES, requireEntry } from './header.ts';
export { readFloat32, readHeader, readTensor, toFloat32 } from './read.ts';
export { writeFileDurably, writeSafetensors } from './write.ts';
