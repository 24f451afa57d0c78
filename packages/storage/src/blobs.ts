/**
 * Opaque bytes: uploads, checkpoints, artifacts. Writing streams with a SHA-256 per part; reading resumes where
 * a connection broke, on the same object only, and compares the checksum of the whole.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import {
  backoff,
  type Context,
  errorName,
  isMissing,
  isPreconditionFailed,
  statusOf,
  storageError,
} from './context.ts';
import { StorageError } from './errors.ts';
import { list } from './listing.ts';

export interface BlobInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly etag: string;
  readonly contentType: string | undefined;
  readonly modified: Date;
}

export interface BlobReader extends BlobInfo {
  /** The bytes, or the range asked for. Must be read to its end or destroyed. */
  readonly body: Readable;
}

export interface PutResult {
  readonly etag: string;
  readonly size: number;
  /** Of the whole body, in hex. */
  readonly sha256: string;
}

export type BlobBody = Uint8Array | string | AsyncIterable<Uint8Array>;

/** Bytes `start` (inclusive) to `end` (exclusive, default the end). */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

export interface PresignedPut {
  readonly url: string;
  /** What the uploader must send, exactly. */
  readonly headers: Readonly<Record<string, string>>;
}

const PART_BYTES = 8 * 1024 ** 2;
const PARTS_IN_FLIGHT = 2;
const MAX_RESUMES = 8;
const MAX_PRESIGN_SECONDS = 7 * 24 * 3600;
const DELETE_BATCH = 1000;
const WRITE_ID = 'write-id';

export class Blobs {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Stores or replaces. A body that fails half-way leaves what was there before, and its error is thrown. */
  put(
    key: string,
    body: BlobBody,
    options: { contentType?: string; signal?: AbortSignal } = {},
  ): Promise<PutResult> {
    return this.#upload(key, body, options, false);
  }

  /** Stores under a key that must be free; what is created is never changed. @throws StorageError `exists`. */
  create(
    key: string,
    body: BlobBody,
    options: { contentType?: string; signal?: AbortSignal } = {},
  ): Promise<PutResult> {
    return this.#upload(key, body, options, true);
  }

  /** @returns undefined when there is no such object. */
  async head(key: string): Promise<BlobInfo | undefined> {
    const head = await this.#head(key);
    return (
      head && {
        key,
        size: head.ContentLength ?? 0,
        etag: head.ETag ?? '',
        contentType: head.ContentType,
        modified: head.LastModified ?? new Date(0),
      }
    );
  }

  /**
   * Opens an object, or a range of it, for streaming. The stream fails with StorageError `conflict` when the
   * object is replaced while it resumes, `corrupt` when the bytes do not have the stored checksum.
   * @returns undefined when there is no such object.
   */
  async open(
    key: string,
    { range, signal }: { range?: ByteRange; signal?: AbortSignal } = {},
  ): Promise<BlobReader | undefined> {
    const wanted = range && `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}`;
    const first = await this.#get(key, { Range: wanted }, signal);
    if (!first) return undefined;
    const start = range?.start ?? 0;
    const response = first.Body as Readable;
    const body = Readable.from(this.#bytes(key, first, start, signal), { objectMode: false });
    // Until the first read nobody else listens to the response, whose error would end the process, and a body that is
    // destroyed before then does not run the code that would let go of the connection.
    response.on('error', () => undefined);
    body.once('close', () => response.destroy());
    return {
      key,
      size: totalSize(first),
      etag: first.ETag ?? '',
      contentType: first.ContentType,
      modified: first.LastModified ?? new Date(0),
      body,
    };
  }

  /** The whole object in memory. @returns undefined when there is no such object. */
  async read(key: string, options: { signal?: AbortSignal } = {}): Promise<Buffer | undefined> {
    const reader = await this.open(key, options);
    return reader && Buffer.concat(await reader.body.toArray());
  }

  /** Deleting what does not exist is a success. */
  async remove(key: string): Promise<void> {
    const { s3, bucket } = this.#context;
    try {
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    } catch (error) {
      throw storageError(error, 'removing', key);
    }
  }

  /** Deletes everything under a folder (`prefix` ends in `/`). @returns how many objects. */
  async removeAll(prefix: string): Promise<number> {
    if (!/[^/]\/$/.test(prefix))
      throw new StorageError('bad_key', `"${prefix}" is not a folder: it must end in "/"`, {
        key: prefix,
      });
    let removed = 0;
    const batch: string[] = [];
    for await (const { key } of list(this.#context, prefix)) {
      batch.push(key);
      if (batch.length === DELETE_BATCH) removed += await this.#removeBatch(batch.splice(0));
    }
    if (batch.length > 0) removed += await this.#removeBatch(batch);
    return removed;
  }

  /** A URL that anyone may GET until it expires, as a download under `filename` if given. */
  async presignGet(
    key: string,
    { expiresSeconds, filename }: { expiresSeconds: number; filename?: string },
  ): Promise<string> {
    const disposition = filename && `attachment; filename*=UTF-8''${encodeURIComponent(filename)}`;
    const command = new GetObjectCommand({
      Bucket: this.#context.bucket,
      Key: key,
      ResponseContentDisposition: disposition,
    });
    return getSignedUrl(this.#context.s3, command, { expiresIn: presignSeconds(expiresSeconds) });
  }

  /** A URL for one upload of exactly `size` bytes to a key that must still be free. */
  async presignPut(
    key: string,
    {
      expiresSeconds,
      size,
      contentType,
    }: { expiresSeconds: number; size: number; contentType?: string },
  ): Promise<PresignedPut> {
    const command = new PutObjectCommand({
      Bucket: this.#context.bucket,
      Key: key,
      IfNoneMatch: '*',
      ContentLength: size,
      ContentType: contentType,
    });
    const headers: Record<string, string> = {
      'content-length': String(size),
      'if-none-match': '*',
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
    };
    const names = new Set(Object.keys(headers));
    const url = await getSignedUrl(this.#context.s3, command, {
      expiresIn: presignSeconds(expiresSeconds),
      unhoistableHeaders: names,
      signableHeaders: new Set(['host', ...names]),
    });
    return { url, headers };
  }

  async #upload(
    key: string,
    body: BlobBody,
    options: { contentType?: string; signal?: AbortSignal },
    create: boolean,
  ): Promise<PutResult> {
    const { s3, bucket, uniqueId } = this.#context;
    const id = uniqueId();
    const hash = createHash('sha256');
    let size = 0;
    let broken: { error: unknown } | undefined;
    const source = async function* () {
      try {
        const pieces =
          typeof body === 'string' || body instanceof Uint8Array ? [Buffer.from(body)] : body;
        for await (const piece of pieces) {
          hash.update(piece);
          size += piece.length;
          yield piece;
        }
      } catch (error) {
        broken = { error };
        throw error;
      }
    };
    const upload = new Upload({
      client: s3,
      partSize: PART_BYTES,
      queueSize: PARTS_IN_FLIGHT,
      params: {
        Bucket: bucket,
        Key: key,
        Body: Readable.from(source(), { objectMode: false }),
        ContentType: options.contentType ?? 'application/octet-stream',
        Metadata: { [WRITE_ID]: id },
        ChecksumAlgorithm: 'SHA256',
        ...(create ? { IfNoneMatch: '*' } : {}),
      },
    });
    const abort = () => void upload.abort();
    options.signal?.addEventListener('abort', abort);
    try {
      options.signal?.throwIfAborted();
      const { ETag } = await upload.done();
      return { etag: ETag ?? '', size, sha256: hash.digest('hex') };
    } catch (error) {
      if (broken) throw broken.error;
      // Both are also what the retry of a write gets whose first answer was lost.
      if (!isPreconditionFailed(error) && errorName(error) !== 'NoSuchUpload')
        throw storageError(error, 'writing', key);
      const head = await this.#head(key);
      if (head?.Metadata?.[WRITE_ID] === id)
        return { etag: head.ETag ?? '', size, sha256: hash.digest('hex') };
      if (create && head) throw new StorageError('exists', `${key} already exists`, { key });
      throw new StorageError(
        'unknown_outcome',
        `the answer to writing ${key} was lost and it has changed since`,
        { key, cause: error },
      );
    } finally {
      options.signal?.removeEventListener('abort', abort);
    }
  }

  async *#bytes(
    key: string,
    first: GetObjectCommandOutput,
    start: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const end = start + (first.ContentLength ?? 0);
    const sha256 = wholeChecksum(first);
    const hash = createHash('sha256');
    let offset = start;
    let response = first;
    for (let failures = 0; ; ) {
      try {
        for await (const piece of response.Body as Readable) {
          hash.update(piece);
          offset += piece.length;
          yield piece;
        }
      } catch (error) {
        if (signal?.aborted || offset === end || ++failures > MAX_RESUMES)
          throw storageError(error, 'reading', key);
        await backoff(failures);
      }
      if (offset === end) break;
      const rest = await this.#get(
        key,
        { Range: `bytes=${offset}-${end - 1}`, IfMatch: first.ETag },
        signal,
      );
      if (!rest)
        throw new StorageError('conflict', `${key} was removed while it was being read`, { key });
      response = rest;
    }
    if (sha256 !== undefined && hash.digest('base64') !== sha256) {
      throw new StorageError('corrupt', `${key} does not have its SHA-256 ${sha256}`, { key });
    }
  }

  async #get(
    key: string,
    input: { Range?: string | undefined; IfMatch?: string | undefined },
    signal: AbortSignal | undefined,
  ) {
    const { s3, bucket } = this.#context;
    try {
      return await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...input }), {
        abortSignal: signal,
      });
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (isPreconditionFailed(error))
        throw new StorageError('conflict', `${key} was replaced while it was being read`, { key });
      if (statusOf(error) === 416)
        throw new StorageError('bad_option', `${key} has no byte in the range ${input.Range}`, {
          key,
        });
      throw storageError(error, 'reading', key);
    }
  }

  async #head(key: string) {
    const { s3, bucket } = this.#context;
    try {
      return await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw storageError(error, 'reading', key);
    }
  }

  async #removeBatch(keys: string[]): Promise<number> {
    const { s3, bucket } = this.#context;
    const Objects = keys.map((Key) => ({ Key }));
    const what = `${keys[0]} and ${keys.length - 1} more`;
    try {
      const { Errors = [] } = await s3.send(
        new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
      );
      if (Errors.length > 0) throw new Error(`${Errors[0]?.Key}: ${Errors[0]?.Code}`);
    } catch (error) {
      throw storageError(error, 'removing', what);
    }
    return keys.length;
  }
}

function totalSize({ ContentRange, ContentLength = 0 }: GetObjectCommandOutput): number {
  return ContentRange === undefined ? ContentLength : Number(ContentRange.split('/')[1]);
}

/** SHA-256 of the whole object in base64, if this response is the whole and the store knows it. */
function wholeChecksum({
  ContentRange,
  ChecksumSHA256,
}: GetObjectCommandOutput): string | undefined {
  return ContentRange === undefined && ChecksumSHA256 && !ChecksumSHA256.includes('-')
    ? ChecksumSHA256
    : undefined;
}

function presignSeconds(seconds: number): number {
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_PRESIGN_SECONDS) return seconds;
  throw new StorageError(
    'bad_option',
    `expiresSeconds is ${seconds}; it must be an integer from 1 to ${MAX_PRESIGN_SECONDS}`,
  );
}
