/**
 * Decoder of the aws-chunked content encoding: `size[;chunk-signature=...]CRLF data CRLF ... 0 CRLF`, then
 * trailing headers and an empty line. Data is yielded before its signature is known to be right, so a caller
 * must not keep anything until the iteration has ended without an error.
 */
import { createHash } from 'node:crypto';
import { WireError } from '../errors.ts';
import type { ChunkSigner } from '../sigv4/chunks.ts';

const MAX_LINE_BYTES = 8 * 1024;
const TRAILER_SIGNATURE = 'x-amz-trailer-signature';

/** @param trailers receives the trailing headers, lower-case, before the iteration ends. */
export async function* decodeAwsChunked(
  source: AsyncIterable<Buffer>,
  signer: ChunkSigner | null,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  const reader = new LineReader(source);
  for (;;) {
    const [sizeText = '', ...extensions] = (await reader.line()).split(';');
    if (!/^[0-9a-fA-F]{1,12}$/.test(sizeText))
      throw broken(`"${sizeText.slice(0, 40)}" is not a chunk size`);
    const size = Number.parseInt(sizeText, 16);
    const hash = signer && createHash('sha256');
    for await (const bytes of reader.bytes(size)) {
      hash?.update(bytes);
      yield bytes;
    }
    if (size > 0 && (await reader.line()) !== '')
      throw broken('a chunk is longer than its size says');
    if (signer && hash) {
      const sent = extensions
        .find((text) => text.startsWith('chunk-signature='))
        ?.slice('chunk-signature='.length);
      if (sent !== signer.chunk(hash.digest('hex'))) throw mismatch('chunk');
    }
    if (size === 0) break;
  }
  for (let line = await reader.line(true); line !== ''; line = await reader.line(true)) {
    const colon = line.indexOf(':');
    if (colon < 1) throw broken(`"${line.slice(0, 40)}" is not a trailing header`);
    trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const sent = trailers.get(TRAILER_SIGNATURE);
  trailers.delete(TRAILER_SIGNATURE);
  if (signer && trailers.size > 0 && sent !== signer.trailer(trailers)) throw mismatch('trailer');
}

class LineReader {
  readonly #source: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Next line without its CRLF. The end of the input may count as an empty line, for senders that omit the last one. */
  async line(endIsEmpty = false): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#buffer.toString('latin1', 0, end);
        this.#buffer = this.#buffer.subarray(end + 2);
        return line;
      }
      if (this.#buffer.length > MAX_LINE_BYTES)
        throw broken(`a line is longer than ${MAX_LINE_BYTES} bytes`);
      if (!(await this.#fill())) {
        if (this.#buffer.length > 0 || !endIsEmpty) throw incomplete();
        return '';
      }
    }
  }

  async *bytes(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      if (this.#buffer.length === 0 && !(await this.#fill())) throw incomplete();
      const piece = this.#buffer.subarray(0, left);
      this.#buffer = this.#buffer.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async #fill(): Promise<boolean> {
    if (this.#ended) return false;
    const { value, done } = await this.#source.next();
    this.#ended = done === true;
    if (!this.#ended)
      this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value]);
    return !this.#ended;
  }
}

function broken(detail: string): WireError {
  return new WireError('InvalidRequest', 400, `The aws-chunked body is malformed: ${detail}`);
}

function incomplete(): WireError {
  return new WireError('IncompleteBody', 400, 'The aws-chunked body ends before its last chunk');
}

function mismatch(what: string): WireError {
  return new WireError(
    'SignatureDoesNotMatch',
    403,
    `The ${what} signature of the aws-chunked body does not match`,
  );
}
