/** Answers about one object, with "there is none" told from failures. */
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
} from '@aws-sdk/client-s3';
import {
  type Context,
  isMissing,
  isPreconditionFailed,
  statusOf,
  storageError,
} from './context.ts';
import { StorageError } from './errors.ts';

/**
 * @returns undefined when there is no such object
 * @throws StorageError `conflict` where `IfMatch` does not, `bad_option` for a range that has no byte
 */
export async function getObject(
  { s3, bucket }: Context,
  key: string,
  input: { Range?: string | undefined; IfMatch?: string | undefined },
  signal: AbortSignal | undefined,
): Promise<GetObjectCommandOutput | undefined> {
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

/** @returns undefined when there is no such object */
export async function headObject(
  { s3, bucket }: Context,
  key: string,
): Promise<HeadObjectCommandOutput | undefined> {
  try {
    return await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw storageError(error, 'reading', key);
  }
}
