/**
 * Body integrity as S3 does it: MD5 for the ETag and Content-MD5, and one flexible checksum per object, sent
 * as a header or as a trailer. CRC32 is the SDK's default; algorithms that are not listed are refused with
 * their header, never ignored.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { BodyCheck } from '../http/body.ts';
import type { WireRequest } from '../http/request.ts';
import { s3Error } from './errors.ts';

export const ALGORITHMS = ['CRC32', 'SHA1', 'SHA256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** COMPOSITE values are a checksum over the parts' checksums and end in `-<number of parts>`. */
export interface Checksum {
  readonly algorithm: Algorithm;
  readonly value: string;
  readonly type: 'FULL_OBJECT' | 'COMPOSITE';
}

interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): Buffer;
}

function hasher(algorithm: Algorithm): Hasher {
  if (algorithm !== 'CRC32') return createHash(algorithm.toLowerCase());
  let value = 0;
  return {
    update(bytes) {
      value = crc32(bytes, value);
    },
    digest() {
      const digest = Buffer.alloc(4);
      digest.writeUInt32BE(value);
      return digest;
    },
  };
}

export function checksumHeader(algorithm: Algorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** Response headers that tell a checksum. */
export function checksumHeaders(checksum: Checksum | null): Record<string, string> {
  if (!checksum) return {};
  return {
    [checksumHeader(checksum.algorithm)]: checksum.value,
    'x-amz-checksum-type': checksum.type,
  };
}

/** @throws WireError `InvalidRequest` for an algorithm that is not served. */
export function parseAlgorithm(text: string | undefined): Algorithm | undefined {
  if (text === undefined) return undefined;
  const algorithm = ALGORITHMS.find((name) => name === text.toUpperCase());
  if (!algorithm)
    throw s3Error(
      'InvalidRequest',
      `Checksum algorithm "${text}" is not served here; use ${ALGORITHMS.join(', ')}`,
    );
  return algorithm;
}

/** MD5 of the body: the ETag, and the judge of Content-MD5. */
export class Md5Check implements BodyCheck {
  readonly #hash = createHash('md5');
  readonly #declared: string | undefined;
  #digest = Buffer.alloc(0);

  constructor(request: WireRequest) {
    this.#declared = request.header('content-md5');
    if (this.#declared !== undefined && Buffer.from(this.#declared, 'base64').length !== 16) {
      throw s3Error('InvalidDigest', `Content-MD5 "${this.#declared}" is not 16 bytes in base64`);
    }
  }

  get etag(): string {
    return `"${this.#digest.toString('hex')}"`;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  finish(): void {
    this.#digest = this.#hash.digest();
    if (this.#declared !== undefined && this.#digest.toString('base64') !== this.#declared) {
      throw s3Error('BadDigest', 'The Content-MD5 you specified did not match what was received');
    }
  }
}

/** The flexible checksum that a request declares, if any; `fallback` is computed when it declares none. */
export class FlexibleCheck implements BodyCheck {
  readonly #header: string | undefined;
  readonly #trailer: Algorithm | undefined;
  readonly #hasher: Hasher | undefined;
  readonly #algorithm: Algorithm | undefined;
  #value: string | undefined;

  constructor(request: WireRequest, fallback?: Algorithm | undefined) {
    const declared = ALGORITHMS.filter(
      (algorithm) => request.header(checksumHeader(algorithm)) !== undefined,
    );
    const trailer = request.header('x-amz-trailer');
    this.#trailer =
      trailer === undefined ? undefined : parseAlgorithm(trailer.replace(/^x-amz-checksum-/, ''));
    if (declared.length + (this.#trailer ? 1 : 0) > 1) {
      throw s3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header or trailer');
    }
    this.#algorithm = declared[0] ?? this.#trailer ?? fallback;
    this.#header = declared[0] && request.header(checksumHeader(declared[0]));
    this.#hasher = this.#algorithm && hasher(this.#algorithm);
  }

  get checksum(): Checksum | null {
    if (!this.#algorithm || this.#value === undefined) return null;
    return { algorithm: this.#algorithm, value: this.#value, type: 'FULL_OBJECT' };
  }

  update(bytes: Uint8Array): void {
    this.#hasher?.update(bytes);
  }

  finish(trailers: ReadonlyMap<string, string>): void {
    if (!this.#algorithm || !this.#hasher) return;
    this.#value = this.#hasher.digest().toString('base64');
    const sent = this.#trailer ? trailers.get(checksumHeader(this.#trailer)) : this.#header;
    if (this.#trailer && sent === undefined) {
      throw s3Error(
        'MalformedTrailerError',
        `The trailer ${checksumHeader(this.#trailer)} was announced and did not come`,
      );
    }
    if (sent !== undefined && sent !== this.#value) {
      throw s3Error(
        'BadDigest',
        `The ${this.#algorithm} you specified did not match the calculated checksum`,
      );
    }
  }
}

/** Checksum of a multipart object: over the concatenated digests of its parts. */
export function compositeChecksum(algorithm: Algorithm, parts: readonly string[]): Checksum {
  const hash = hasher(algorithm);
  for (const part of parts) hash.update(Buffer.from(part, 'base64'));
  return {
    algorithm,
    value: `${hash.digest().toString('base64')}-${parts.length}`,
    type: 'COMPOSITE',
  };
}
