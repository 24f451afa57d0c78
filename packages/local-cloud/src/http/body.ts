/** The verified body: framing removed, length, hashes and checksums compared before the last byte counts. */
import { createHash } from 'node:crypto';
import { WireError } from '../errors.ts';
import type { Payload } from '../sigv4/verify.ts';
import { decodeAwsChunked } from './aws-chunked.ts';
import type { WireRequest } from './request.ts';

/** Anything that is fed the bytes and may object at the end. */
export interface BodyCheck {
  update(bytes: Uint8Array): void;
  /** @throws WireError when the body is not what was declared. */
  finish(trailers: ReadonlyMap<string, string>): void;
}

/**
 * Yields the decoded bytes and throws at the end when anything differs from what the client declared or
 * signed: a consumer must keep nothing of an iteration that throws.
 */
export async function* verifiedBody(
  request: WireRequest,
  payload: Payload,
  checks: readonly BodyCheck[] = [],
): AsyncGenerator<Buffer> {
  const trailers = new Map<string, string>();
  const source =
    payload.kind === 'chunked'
      ? decodeAwsChunked(request.body, payload.signer, trailers)
      : request.body;
  const all = payload.kind === 'sha256' ? [...checks, payloadHash(payload.sha256)] : checks;
  const declared = declaredLength(request, payload);
  let size = 0;
  for await (const bytes of source) {
    size += bytes.length;
    for (const check of all) check.update(bytes);
    yield bytes;
  }
  if (declared !== undefined && size !== declared) {
    throw new WireError(
      'IncompleteBody',
      400,
      `The body has ${size} bytes, ${declared} were declared`,
    );
  }
  for (const check of all) check.finish(trailers);
}

/** Collects a small verified body as text. @throws WireError when it is over `limit` bytes. */
export async function readText(
  request: WireRequest,
  payload: Payload,
  limit: number,
  checks: readonly BodyCheck[] = [],
): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const bytes of verifiedBody(request, payload, checks)) {
    size += bytes.length;
    if (size > limit)
      throw new WireError('EntityTooLarge', 400, `The request body is larger than ${limit} bytes`);
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Number of content bytes that the client announced, framing not counted. */
export function declaredLength(request: WireRequest, payload: Payload): number | undefined {
  const text = request.header(
    payload.kind === 'chunked' ? 'x-amz-decoded-content-length' : 'content-length',
  );
  return text === undefined ? undefined : Number(text);
}

function payloadHash(expected: string): BodyCheck {
  const hash = createHash('sha256');
  return {
    update: (bytes) => hash.update(bytes),
    finish() {
      if (hash.digest('hex') !== expected) {
        throw new WireError(
          'XAmzContentSHA256Mismatch',
          400,
          'The body does not have the SHA-256 that was signed',
        );
      }
    },
  };
}
