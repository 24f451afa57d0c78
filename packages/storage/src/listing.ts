/** Listings in key order, page after page as the caller iterates. */
import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { type Context, storageError } from './context.ts';

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly modified: Date;
}

export interface ListOptions {
  /** Start behind this key. */
  readonly after?: string;
  /** Objects per request, 1 to 1000. @default 1000 */
  readonly pageSize?: number;
}

/** Every object whose key starts with `prefix`. */
export async function* list(
  context: Context,
  prefix: string,
  options: ListOptions = {},
): AsyncGenerator<ListedObject> {
  for await (const { Contents = [] } of pages(context, prefix, undefined, options)) {
    for (const { Key = '', Size = 0, ETag = '', LastModified = new Date(0) } of Contents) {
      yield { key: Key, size: Size, etag: ETag, modified: LastModified };
    }
  }
}

/** Names of the folders directly under `prefix` (which ends in `/`), each once, however much is inside. */
export async function* listFolders(
  context: Context,
  prefix: string,
  options: ListOptions = {},
): AsyncGenerator<string> {
  for await (const { CommonPrefixes = [] } of pages(context, prefix, '/', options)) {
    for (const { Prefix = '' } of CommonPrefixes) yield Prefix.slice(prefix.length, -1);
  }
}

async function* pages(
  { s3, bucket }: Context,
  prefix: string,
  Delimiter: '/' | undefined,
  { after, pageSize }: ListOptions,
): AsyncGenerator<ListObjectsV2CommandOutput> {
  let ContinuationToken: string | undefined;
  do {
    let page: ListObjectsV2CommandOutput;
    try {
      page = await s3.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          Delimiter,
          StartAfter: after,
          MaxKeys: pageSize,
          ContinuationToken,
        }),
      );
    } catch (error) {
      throw storageError(error, 'listing', prefix);
    }
    yield page;
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
}
