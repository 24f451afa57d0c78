// Whole files in memory. Encoding is a function of its input alone: tensors in order of name,
// metadata in order of key, so equal content gives equal bytes and equal hashes.

import {
  carries,
  type DtypeArray,
  elementCount,
  itemSize,
  type SafetensorsDtype,
  viewAs,
} from './dtype.ts';
import { SafetensorsError } from './errors.ts';
import {
  headerLength,
  LENGTH_BYTES,
  MAX_HEADER_BYTES,
  METADATA_KEY,
  parseHeader,
} from './header.ts';

export interface TensorData<D extends SafetensorsDtype = SafetensorsDtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  /** Row-major elements; F16 and BF16 as bit patterns. */
  readonly data: DtypeArray<D>;
}

export interface DecodedSafetensors {
  readonly tensors: ReadonlyMap<string, TensorData>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Encodes tensors and metadata as one safetensors file.
 * @param tensors a Map or `Object.entries(...)`; the order does not matter
 * @throws SafetensorsError `bad_tensor` if data, shape and dtype disagree or a name is taken
 * @example encodeSafetensors([['x', { dtype: 'F32', shape: [2], data: new Float32Array(2) }]])
 */
export function encodeSafetensors(
  tensors: Iterable<readonly [string, TensorData]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const sorted = [...tensors].sort(byKey);
  // Written by hand, since an object literal would reorder keys that look like integers.
  const fields: string[] = [];
  const metadataFields = Object.entries(metadata).sort(byKey);
  if (metadataFields.length > 0)
    fields.push(field(METADATA_KEY, object(metadataFields.map(metadataField))));
  let end = 0;
  for (const [index, [name, tensor]] of sorted.entries()) {
    checkTensor(name, tensor, sorted[index - 1]?.[0]);
    const begin = end;
    end += tensor.data.byteLength;
    const { dtype, shape } = tensor;
    fields.push(field(name, JSON.stringify({ dtype, shape, data_offsets: [begin, end] })));
  }
  const header = new TextEncoder().encode(object(fields));
  const padded = Math.ceil(header.byteLength / 8) * 8;
  if (padded > MAX_HEADER_BYTES) {
    throw new SafetensorsError(
      'bad_header',
      `the header would have ${padded} bytes, more than the format's limit of ${MAX_HEADER_BYTES}; write fewer tensors or less metadata`,
    );
  }
  return assemble(header, padded, end, sorted);
}

/**
 * Decodes a whole file. Tensors are views into `bytes` where alignment allows, copies where not.
 * @param source what to call the bytes in messages, normally the file's name
 * @throws SafetensorsError as `readHeader` does
 */
export function decodeSafetensors(bytes: Uint8Array, source = 'safetensors'): DecodedSafetensors {
  const length = headerLength(source, bytes, bytes.byteLength);
  const json = bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
  const header = parseHeader(source, json, bytes.byteLength);
  const tensors = new Map<string, TensorData>();
  for (const { name, dtype, shape, offset, byteLength } of header.tensors.values()) {
    const data = viewAs(dtype, bytes.subarray(offset, offset + byteLength));
    tensors.set(name, { dtype, shape, data });
  }
  return { tensors, metadata: header.metadata };
}

function assemble(
  header: Uint8Array,
  padded: number,
  dataLength: number,
  tensors: readonly (readonly [string, TensorData])[],
): Uint8Array {
  const file = new Uint8Array(LENGTH_BYTES + padded + dataLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(header, LENGTH_BYTES);
  file.fill(0x20, LENGTH_BYTES + header.byteLength, LENGTH_BYTES + padded);
  let offset = LENGTH_BYTES + padded;
  for (const [, { data }] of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return file;
}

function checkTensor(name: string, tensor: TensorData, previousName: string | undefined): void {
  const { dtype, shape, data } = tensor;
  if (name === METADATA_KEY || name === previousName) {
    throw new SafetensorsError('bad_tensor', `the tensor name "${name}" is already taken`);
  }
  if (!carries(dtype, data)) {
    throw new SafetensorsError(
      'bad_tensor',
      `tensor "${name}": a ${data.constructor.name} does not carry ${dtype}`,
    );
  }
  const expected = elementCount(shape) * itemSize(dtype);
  if (data.byteLength !== expected) {
    throw new SafetensorsError(
      'bad_tensor',
      `tensor "${name}": ${dtype} [${shape}] needs ${expected} bytes, the data has ${data.byteLength}`,
    );
  }
}

function metadataField([key, value]: [string, string]): string {
  return field(key, JSON.stringify(value));
}

function field(key: string, json: string): string {
  return `${JSON.stringify(key)}:${json}`;
}

function object(fields: readonly string[]): string {
  return `{${fields.join(',')}}`;
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
