/** Signatures inside a signed aws-chunked body: each chunk's is chained to the one before it. */
import { createHash } from 'node:crypto';
import { EMPTY_SHA256, type Scope, signature } from './signing.ts';

export class ChunkSigner {
  readonly #key: Buffer;
  readonly #timestamp: string;
  readonly #scope: Scope;
  #previous: string;

  /** @param seed signature of the request's headers. */
  constructor(key: Buffer, timestamp: string, scope: Scope, seed: string) {
    this.#key = key;
    this.#timestamp = timestamp;
    this.#scope = scope;
    this.#previous = seed;
  }

  /** Signature of the next chunk, given the SHA-256 of its data in hex. */
  chunk(sha256: string): string {
    return this.#next('AWS4-HMAC-SHA256-PAYLOAD', EMPTY_SHA256, sha256);
  }

  /** Signature of the trailing headers, which follow the empty last chunk. */
  trailer(headers: Iterable<readonly [string, string]>): string {
    const text = [...headers].map(([name, value]) => `${name}:${value}\n`).join('');
    return this.#next('AWS4-HMAC-SHA256-TRAILER', createHash('sha256').update(text).digest('hex'));
  }

  #next(algorithm: string, ...lines: string[]): string {
    this.#previous = signature(
      this.#key,
      algorithm,
      this.#timestamp,
      this.#scope,
      this.#previous,
      ...lines,
    );
    return this.#previous;
  }
}
