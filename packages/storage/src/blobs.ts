/**
 * Opaque bytes: uploads, checkpoints, artifacts. Writing streams with a SHA-256 per part; reading resumes where
 * a connection broke, on the same object only, and compares the checksum of the whole.
 */
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type Context, storageError } from './context.ts';
import { download } from './download.ts';
import { StorageError } from './errors.ts';
import { list } from './listing.ts';
import { getObject, headObject } from './objects.ts';
import { type BlobBody, type PutResult, upload } from './upload.ts';

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

const MAX_PRESIGN_SECONDS = 7 * 24 * 3600;
const DELETE_BATCH = 1000;

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
    return upload(this.#context, key, body, options, false);
  }

  /** Stores under a key that must be free; what is created is never changed. @throws StorageError `exists`. */
  create(
    key: string,
    body: BlobBody,
    options: { contentType?: string; signal?: AbortSignal } = {},
  ): Promise<PutResult> {
    return upload(this.#context, key, body, options, true);
  }

  /** @returns undefined when there is no such object. */
  async head(key: string): Promise<BlobInfo | undefined> {
    const head = await headObject(this.#context, key);
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
    const first = await getObject(this.#context, key, { Range: wanted }, signal);
    if (!first) return undefined;
    const start = range?.start ?? 0;
    const response = first.Body as Readable;
    const body = Readable.from(download(this.#context, key, first, start, signal), {
      objectMode: false,
    });
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

function presignSeconds(seconds: number): number {
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_PRESIGN_SECONDS) return seconds;
  throw new StorageError(
    'bad_option',
    `expiresSeconds is ${seconds}; it must be an integer from 1 to ${MAX_PRESIGN_SECONDS}`,
  );
}
