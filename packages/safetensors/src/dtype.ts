// F16 and BF16 stay 16-bit patterns: TypeScript's ES2024 library has no Float16Array, and no
// platform has a bfloat16 one. The two 8-bit floats are carried as bytes.
const ARRAY_TYPES = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
} satisfies Record<SafetensorsDtype, unknown>;

/** The typed array that carries each dtype. */
interface ArrayTypes {
  F64: Float64Array;
  F32: Float32Array;
  F16: Uint16Array;
  BF16: Uint16Array;
  I64: BigInt64Array;
  I32: Int32Array;
  I16: Int16Array;
  I8: Int8Array;
  U64: BigUint64Array;
  U32: Uint32Array;
  U16: Uint16Array;
  U8: Uint8Array;
  BOOL: Uint8Array;
  F8_E4M3: Uint8Array;
  F8_E5M2: Uint8Array;
}

/** Element types of the format that fill whole bytes. */
export type SafetensorsDtype = keyof ArrayTypes;

/** The typed array that carries a dtype: `F32` is a `Float32Array`, `F16` the bits in a `Uint16Array`. */
export type DtypeArray<D extends SafetensorsDtype = SafetensorsDtype> = ArrayTypes[D];

export function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(ARRAY_TYPES, value);
}

/** Bytes of one element. */
export function itemSize(dtype: SafetensorsDtype): number {
  return ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
}

/** True if `data` is the array type that carries `dtype`. */
export function carries(dtype: SafetensorsDtype, data: unknown): boolean {
  return data instanceof ARRAY_TYPES[dtype];
}

/** Number of elements of a shape; 1 for a scalar `[]`. NaN if it is not a shape or not countable. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return Number.NaN;
    count *= size;
  }
  return Number.isSafeInteger(count) ? count : Number.NaN;
}

/** Views whole elements as the typed array of `dtype`, without a copy where the offset is aligned. */
export function viewAs<D extends SafetensorsDtype>(dtype: D, bytes: Uint8Array): DtypeArray<D> {
  const size = itemSize(dtype);
  // A typed array must start at a multiple of its element size; the format does not promise that.
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const View = ARRAY_TYPES[dtype] as unknown as ArrayView<DtypeArray<D>>;
  return new View(buffer, byteOffset, bytes.byteLength / size);
}

type ArrayView<T> = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T;
