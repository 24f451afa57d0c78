import { s3Error } from './errors.ts';

/** Bytes `start` (inclusive) to `end` (exclusive) of a body. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a Range header for a body of `size` bytes. Undefined means the whole body: no header, several ranges,
 * or a form that is not understood, which S3 and RFC 9110 ignore.
 * @throws WireError 416 `InvalidRange` when no byte of the range exists.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const suffix = match[1] === '';
  const start = suffix ? Math.max(size - Number(match[2]), 0) : Number(match[1]);
  const end = suffix || match[2] === '' ? size : Math.min(Number(match[2]) + 1, size);
  if (!suffix && match[2] !== '' && Number(match[2]) < start) return undefined;
  if (start >= end) {
    throw s3Error(
      'InvalidRange',
      `The requested range is not satisfiable: the object has ${size} bytes`,
      {
        'content-range': `bytes */${size}`,
      },
    );
  }
  return { start, end };
}
