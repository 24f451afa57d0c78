// The header of a safetensors file: 8 bytes little-endian length, that many bytes of JSON, then the
// tensors, back to back. Whatever comes out of `parseHeader` has been checked in full: every entry
// lies inside the file, none overlaps another, and together they leave no gap (a gap could hide data).

import { elementCount, isDtype, itemSize, type SafetensorsDtype } from './dtype.ts';
import { SafetensorsError } from './errors.ts';

/** The reference implementation's limit, 100 MB, against headers that exhaust memory. */
export const MAX_HEADER_BYTES = 100_000_000;
export const LENGTH_BYTES = 8;
export const METADATA_KEY = '__metadata__';

export interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Absolute byte offset in the file; not necessarily aligned to the element size. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the tensors begin, from the start of the file. */
  readonly dataOffset: number;
  readonly fileSize: number;
}

/**
 * Checks the leading bytes of a file and returns how many bytes of JSON follow the length.
 * @param source file name (or another word for the bytes) for messages
 * @param start at least the first 9 bytes, or the whole file if it is shorter
 */
export function headerLength(source: string, start: Uint8Array, fileSize: number): number {
  if (fileSize <= LENGTH_BYTES) {
    throw new SafetensorsError(
      'not_safetensors',
      `${source}: not a safetensors file: ${fileSize} bytes, at least ${LENGTH_BYTES + 2} expected`,
    );
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const length = view.getBigUint64(0, true);
  const first = String.fromCharCode(view.getUint8(LENGTH_BYTES));
  if (first !== '{' || length > MAX_HEADER_BYTES || length < 2n) {
    throw new SafetensorsError(
      'not_safetensors',
      `${source}: not a safetensors file: it claims a header of ${length} bytes (limit ${MAX_HEADER_BYTES}) that begins with ${JSON.stringify(first)} instead of "{"`,
    );
  }
  if (LENGTH_BYTES + Number(length) > fileSize)
    throw truncated(source, LENGTH_BYTES + Number(length), fileSize);
  return Number(length);
}

/**
 * Parses and checks a header.
 * @param json the header's bytes, without the length in front
 * @throws SafetensorsError naming `source`, the tensor, and expected against actual values
 */
export function parseHeader(source: string, json: Uint8Array, fileSize: number): SafetensorsHeader {
  const dataOffset = LENGTH_BYTES + json.byteLength;
  const { [METADATA_KEY]: rawMetadata, ...rawTensors } = parseObject(source, json);
  const entries = Object.entries(rawTensors).map(([name, raw]) =>
    parseEntry(source, name, raw, dataOffset),
  );
  checkLayout(source, entries, dataOffset, fileSize);
  return {
    tensors: new Map(entries.map((entry) => [entry.name, entry])),
    metadata: parseMetadata(source, rawMetadata),
    dataOffset,
    fileSize,
  };
}

/**
 * The entry of one tensor.
 * @throws SafetensorsError `tensor_missing` naming the file and what it has instead
 */
export function requireEntry(source: string, header: SafetensorsHeader, name: string): TensorEntry {
  const entry = header.tensors.get(name);
  if (entry !== undefined) return entry;
  const names = [...header.tensors.keys()];
  const shown = names.slice(0, 8).join(', ') + (names.length > 8 ? ', ...' : '');
  throw new SafetensorsError(
    'tensor_missing',
    `${source}: no tensor "${name}" among its ${names.length}: ${shown}`,
  );
}

export function truncated(source: string, expected: number, actual: number): SafetensorsError {
  return new SafetensorsError(
    'truncated',
    `${source}: truncated: ${expected} bytes expected, ${actual} found; copy or download it again`,
  );
}

function parseObject(source: string, json: Uint8Array): Record<string, unknown> {
  try {
    // The caller has seen "{" as the first byte, so a successful parse is an object.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (cause) {
    throw bad(source, `the header is not valid JSON in UTF-8: ${(cause as Error).message}`);
  }
}

function parseMetadata(source: string, raw: unknown): Record<string, string> {
  if (raw === undefined) return {};
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw bad(source, `${METADATA_KEY} must be an object of strings`);
  }
  for (const [key, value] of Object.entries(raw)) {
    if (typeof value !== 'string') {
      throw bad(source, `${METADATA_KEY} "${key}" must be a string, found ${typeof value}`);
    }
  }
  return raw as Record<string, string>;
}

function parseEntry(source: string, name: string, raw: unknown, dataOffset: number): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = (raw ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string') throw bad(source, `tensor "${name}" has no dtype`);
  if (!isDtype(dtype)) {
    throw new SafetensorsError(
      'unknown_dtype',
      `${source}: tensor "${name}" has dtype ${JSON.stringify(dtype)}, which is not supported; convert it to F32, F16 or BF16`,
    );
  }
  if (!Array.isArray(shape) || Number.isNaN(elementCount(shape))) {
    throw bad(source, `tensor "${name}" has shape ${shown(shape)}`);
  }
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? offsets : [-1, -1];
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || begin < 0 || end < begin) {
    throw bad(source, `tensor "${name}" has data_offsets ${shown(offsets)}`);
  }
  const expected = elementCount(shape) * itemSize(dtype);
  if (end - begin !== expected) {
    throw new SafetensorsError(
      'size_mismatch',
      `${source}: tensor "${name}" (${dtype} [${shape}]) needs ${expected} bytes, its data_offsets give ${end - begin}`,
    );
  }
  return { name, dtype, shape, offset: dataOffset + begin, byteLength: expected };
}

/** A value that is not what it should be, for a message. */
function shown(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)?.slice(0, 100);
  } catch {
    // Parsed without recursion, written with it: lists in lists can be too deep for that.
    return 'with lists in lists too deep to be shown';
  }
}

function checkLayout(
  source: string,
  entries: readonly TensorEntry[],
  dataOffset: number,
  fileSize: number,
): void {
  // Empty tensors sort before the one that begins at the same place.
  const sorted = entries.toSorted((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataOffset;
  for (const entry of sorted) {
    if (entry.offset < end) {
      throw new SafetensorsError(
        'overlapping_tensors',
        `${source}: tensor "${entry.name}" begins at byte ${entry.offset}, inside the one that ends at ${end}`,
      );
    }
    if (entry.offset > end) {
      throw bad(source, `${entry.offset - end} unused bytes in front of tensor "${entry.name}"`);
    }
    end += entry.byteLength;
  }
  if (end > fileSize) throw truncated(source, end, fileSize);
  if (end < fileSize) {
    throw new SafetensorsError(
      'trailing_bytes',
      `${source}: ${end} bytes expected, ${fileSize} found: bytes follow the last tensor`,
    );
  }
}

function bad(source: string, what: string): SafetensorsError {
  return new SafetensorsError('bad_header', `${source}: ${what}`);
}
