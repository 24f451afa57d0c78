/** One S3 request on its way through the handlers, and what several of them need from it. */
import type { WireRequest } from '../http/request.ts';
import type { Payload } from '../sigv4/verify.ts';
import { s3Error } from './errors.ts';

export interface S3Call {
  readonly request: WireRequest;
  readonly payload: Payload;
  readonly bucket: string;
  /** UTF-8 bytes; empty for calls on the bucket. */
  readonly key: Buffer;
}

const CONTENT_HEADERS = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
];
const MAX_METADATA_BYTES = 2048;

/** The headers that are stored with an object and sent back with it. */
export function storedHeaders(request: WireRequest): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of CONTENT_HEADERS) {
    const value = request.header(name);
    if (value !== undefined) headers[name] = value;
  }
  // The transfer framing is not part of the content.
  const encoding = headers['content-encoding']
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== 'aws-chunked');
  if (encoding?.length) headers['content-encoding'] = encoding.join(',');
  else delete headers['content-encoding'];

  let metadataBytes = 0;
  const metadata = [
    ...request.headerNames.map((name) => [name, request.header(name) ?? ''] as const),
    // Presigned URLs carry metadata in the query.
    ...request.queryPairs.map(([name, value]) => [name, headerValue(value)] as const),
  ].filter(([name]) => name.startsWith('x-amz-meta-'));
  for (const [name, value] of metadata) {
    metadataBytes += name.length - 'x-amz-meta-'.length + value.length;
    headers[name] = value;
  }
  if (metadataBytes > MAX_METADATA_BYTES) {
    throw s3Error(
      'InvalidArgument',
      `User metadata has ${metadataBytes} bytes, the limit is ${MAX_METADATA_BYTES}`,
    );
  }
  return headers;
}

/** An integer query parameter. @throws WireError `InvalidArgument` naming the range. */
export function intParam(
  request: WireRequest,
  name: string,
  min: number,
  max: number,
  fallback: number,
): number {
  const text = request.query.get(name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw s3Error('InvalidArgument', `${name}=${text} is not an integer from ${min} to ${max}`);
  }
  return value;
}

export function utf8(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8');
}

/** A decoded query value as a header value: UTF-8 bytes in latin1, as Node writes headers. */
export function headerValue(text: string): string {
  if (/\p{Cc}/u.test(text))
    throw s3Error('InvalidArgument', 'A header value must not contain control characters');
  return Buffer.from(text, 'utf8').toString('latin1');
}
