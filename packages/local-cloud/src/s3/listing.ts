/**
 * ListObjectsV2 in UTF-8 byte order. A position in the listing is the smallest key that may come next
 * (inclusive); start-after, continuation tokens and skipping a common prefix are all just such a position.
 */
import type { Reply } from '../http/reply.ts';
import { encodePath } from '../sigv4/signing.ts';
import { intParam, type S3Call, utf8 } from './call.ts';
import { s3Error } from './errors.ts';
import type { ObjectStore } from './store.ts';
import { writeXml, type XmlNode } from './xml.ts';

const MAX_KEYS = 1000;
/** Rows read at a time where folders are named: all but the first of a folder are read in vain. */
const FOLDER_ROWS = 4;

interface ListedRow extends Record<string, unknown> {
  key: Uint8Array;
  size: number;
  etag: string;
  modified: number;
}

export function listObjects(store: ObjectStore, { bucket, request }: S3Call): Reply {
  store.assertBucket(bucket);
  const { query } = request;
  const prefix = Buffer.from(query.get('prefix') ?? '');
  const delimiter = Buffer.from(query.get('delimiter') ?? '');
  const maxKeys = Math.min(intParam(request, 'max-keys', 0, 2 ** 31 - 1, MAX_KEYS), MAX_KEYS);
  const startAfter = query.get('start-after');
  const token = query.get('continuation-token');
  const encodeKey = keyEncoder(query.get('encoding-type'));

  const after =
    token !== undefined
      ? parseToken(token)
      : startAfter !== undefined
        ? successor(Buffer.from(startAfter))
        : prefix;
  const start = Buffer.compare(after, prefix) > 0 ? after : prefix;
  const page = listPage(store, bucket, { prefix, delimiter, start, limit: maxKeys });
  const content: XmlNode[] = page.entries.map((entry) =>
    entry.kind === 'prefix'
      ? ['CommonPrefixes', [['Prefix', encodeKey(entry.prefix)]]]
      : [
          'Contents',
          [
            ['Key', encodeKey(entry.row.key)],
            ['LastModified', new Date(entry.row.modified).toISOString()],
            ['ETag', entry.row.etag],
            ['Size', entry.row.size],
            ['StorageClass', 'STANDARD'],
          ],
        ],
  );
  const truncated = page.next !== undefined && maxKeys > 0;
  return {
    status: 200,
    body: writeXml('ListBucketResult', [
      ['Name', bucket],
      ['Prefix', encodeKey(prefix)],
      ['Delimiter', delimiter.length > 0 ? encodeKey(delimiter) : undefined],
      ['StartAfter', startAfter === undefined ? undefined : encodeKey(Buffer.from(startAfter))],
      ['EncodingType', query.get('encoding-type')],
      ['MaxKeys', maxKeys],
      ['KeyCount', page.entries.length],
      ['IsTruncated', truncated],
      ['ContinuationToken', token],
      ['NextContinuationToken', truncated ? page.next?.toString('base64url') : undefined],
      ...content,
    ]),
  };
}

type Entry =
  | { readonly kind: 'object'; readonly row: ListedRow }
  | { readonly kind: 'prefix'; readonly prefix: Buffer };

interface PageOptions {
  readonly prefix: Buffer;
  readonly delimiter: Buffer;
  readonly start: Buffer;
  readonly limit: number;
}

/** `next` is the position of the first entry that did not fit. */
function listPage(
  store: ObjectStore,
  bucket: string,
  { prefix, delimiter, start, limit }: PageOptions,
): { entries: Entry[]; next?: Buffer } {
  const end = prefixEnd(prefix);
  const entries: Entry[] = [];
  let position: Buffer | undefined = start;
  while (position) {
    const needed = limit - entries.length + 1;
    const size = delimiter.length > 0 ? Math.min(needed, FOLDER_ROWS) : needed;
    const batch: ListedRow[] = rowsFrom(store, bucket, position, end, size);
    const current: Buffer = position;
    const last = batch.length === size ? batch.at(-1) : undefined;
    position = last && successor(Buffer.from(last.key));
    for (const row of batch) {
      const key = Buffer.from(row.key);
      if (entries.length === limit) return { entries, next: key };
      const cut = delimiter.length > 0 ? key.indexOf(delimiter, prefix.length) : -1;
      if (cut < 0) {
        entries.push({ kind: 'object', row });
        continue;
      }
      // One entry for everything below the common prefix: jump behind it instead of reading through it.
      const common = key.subarray(0, cut + delimiter.length);
      entries.push({ kind: 'prefix', prefix: common });
      position = prefixEnd(common);
      break;
    }
    if (position && Buffer.compare(position, current) <= 0) break;
  }
  return { entries };
}

function rowsFrom(
  store: ObjectStore,
  bucket: string,
  from: Buffer,
  end: Buffer | undefined,
  limit: number,
): ListedRow[] {
  const columns = 'SELECT key, size, etag, modified FROM objects WHERE bucket = ? AND key >= ?';
  return end
    ? store.db.all<ListedRow>(
        `${columns} AND key < ? ORDER BY key LIMIT ?`,
        bucket,
        from,
        end,
        limit,
      )
    : store.db.all<ListedRow>(`${columns} ORDER BY key LIMIT ?`, bucket, from, limit);
}

/** Smallest byte string above everything that starts with `prefix`; undefined when there is none. */
function prefixEnd(prefix: Buffer): Buffer | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const end = Buffer.from(prefix.subarray(0, length));
  end[length - 1] = end[length - 1]! + 1;
  return end;
}

/** Smallest byte string above `key`. */
function successor(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}

function parseToken(token: string): Buffer {
  if (!/^[\w-]*$/.test(token))
    throw s3Error('InvalidArgument', 'The continuation token provided is incorrect');
  return Buffer.from(token, 'base64url');
}

function keyEncoder(type: string | undefined): (key: Uint8Array) => string {
  if (type === undefined) return utf8;
  if (type !== 'url') throw s3Error('InvalidArgument', `encoding-type=${type} is not "url"`);
  return (key) => encodePath(utf8(key));
}
