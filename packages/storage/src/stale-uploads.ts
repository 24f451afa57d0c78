/** Multipart uploads that nobody completed or aborted: their parts take up room and are in no listing. */
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
} from '@aws-sdk/client-s3';
import { type Context, errorName, storageError } from './context.ts';

/**
 * Aborts the uploads under `prefix` that began before a moment (epoch milliseconds, the store's clock).
 * @returns how many
 */
export async function abortUploads(
  { s3, bucket }: Context,
  prefix: string,
  before: number,
): Promise<number> {
  let aborted = 0;
  let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined =
    {};
  try {
    while (marker) {
      const page: ListMultipartUploadsCommandOutput = await s3.send(
        new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...marker }),
      );
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (!Initiated || Initiated.getTime() >= before) continue;
        const upload = { Bucket: bucket, Key, UploadId };
        await s3.send(new AbortMultipartUploadCommand(upload)).catch((error) => {
          // Completed, or aborted by another, meanwhile.
          if (errorName(error) !== 'NoSuchUpload') throw error;
        });
        aborted++;
      }
      marker = page.IsTruncated
        ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
        : undefined;
    }
  } catch (error) {
    throw storageError(error, 'aborting uploads under', prefix);
  }
  return aborted;
}
