/** Writes an object from a stream, in parts where it is large, and settles what became of a write whose answer was lost. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Upload } from '@aws-sdk/lib-storage';
import { type Context, errorName, isPreconditionFailed, storageError } from './context.ts';
import { StorageError } from './errors.ts';
import { headObject } from './objects.ts';

export type BlobBody = Uint8Array | string | AsyncIterable<Uint8Array>;

export interface PutResult {
  readonly etag: string;
  readonly size: number;
  /** Of the whole body, in hex. */
  readonly sha256: string;
}

const PART_BYTES = 8 * 1024 ** 2;
const PARTS_IN_FLIGHT = 2;
const WRITE_ID = 'write-id';

/**
 * @param create whether the key must be free
 * @throws StorageError `exists`, `unknown_outcome`; whatever `body` throws
 */
export async function upload(
  context: Context,
  key: string,
  body: BlobBody,
  options: { contentType?: string; signal?: AbortSignal },
  create: boolean,
): Promise<PutResult> {
  const { s3, bucket, uniqueId } = context;
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
  const parts = new Upload({
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
  const abort = () => void parts.abort();
  options.signal?.addEventListener('abort', abort);
  try {
    options.signal?.throwIfAborted();
    const { ETag } = await parts.done();
    return { etag: ETag ?? '', size, sha256: hash.digest('hex') };
  } catch (error) {
    if (broken) throw broken.error;
    // Both are also what the retry of a write gets whose first answer was lost.
    if (!isPreconditionFailed(error) && errorName(error) !== 'NoSuchUpload')
      throw storageError(error, 'writing', key);
    const head = await headObject(context, key);
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
