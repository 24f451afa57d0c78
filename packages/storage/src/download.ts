/** The bytes of an object as a stream that resumes where a connection broke, on the same object only. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { backoff, type Context, storageError } from './context.ts';
import { StorageError } from './errors.ts';
import { getObject } from './objects.ts';

const MAX_RESUMES = 8;

/**
 * The body of `first`, which begins at byte `start` of the object, and what is missing of it from further requests.
 * @throws StorageError `conflict` when the object is replaced or removed meanwhile, `corrupt` when a whole object does
 * not have the checksum that is stored with it
 */
export async function* download(
  context: Context,
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
    const rest = await getObject(
      context,
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

/** SHA-256 of the whole object in base64, if this response is the whole and the store knows it. */
function wholeChecksum({
  ContentRange,
  ChecksumSHA256,
}: GetObjectCommandOutput): string | undefined {
  return ContentRange === undefined && ChecksumSHA256 && !ChecksumSHA256.includes('-')
    ? ChecksumSHA256
    : undefined;
}
