/** Multipart uploads. Parts are durable when acknowledged; completing an upload only moves rows. */
import { createHash, randomUUID } from 'node:crypto';
import type { Reply } from '../http/reply.ts';
import { intParam, type S3Call, storedHeaders, utf8 } from './call.ts';
import {
  type Algorithm,
  type Checksum,
  checksumHeader,
  compositeChecksum,
  parseAlgorithm,
} from './checksums.ts';
import { assertWritable, writeCondition } from './conditions.ts';
import { s3Error } from './errors.ts';
import { readCheckedText, receiveBody } from './objects.ts';
import type { ObjectStore } from './store.ts';
import { childText, parseXml, writeXml, type XmlElement } from './xml.ts';

const MIN_PART_BYTES = 5 * 1024 ** 2;
const MAX_PARTS = 10_000;
const MAX_LISTED = 1000;

interface UploadRow extends Record<string, unknown> {
  id: string;
  bucket: string;
  key: Uint8Array;
  created: number;
  headers: string;
  algorithm: Algorithm | null;
}

interface PartRow extends Record<string, unknown> {
  number: number;
  body: string;
  size: number;
  etag: string;
  modified: number;
  checksum: string | null;
}

export function createUpload(store: ObjectStore, { bucket, key, request }: S3Call): Reply {
  store.assertBucket(bucket);
  const algorithm = parseAlgorithm(request.header('x-amz-checksum-algorithm'));
  const id = randomUUID();
  store.db.run(
    'INSERT INTO uploads (id, bucket, key, created, headers, algorithm) VALUES (?, ?, ?, ?, ?, ?)',
    id,
    bucket,
    key,
    store.clock.now(),
    JSON.stringify(storedHeaders(request)),
    algorithm ?? null,
  );
  return {
    status: 200,
    headers: algorithm
      ? { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': 'COMPOSITE' }
      : {},
    body: writeXml('InitiateMultipartUploadResult', [
      ['Bucket', bucket],
      ['Key', utf8(key)],
      ['UploadId', id],
    ]),
  };
}

export async function uploadPart(store: ObjectStore, call: S3Call): Promise<Reply> {
  const { algorithm } = findUpload(store, call);
  const number = intParam(call.request, 'partNumber', 1, MAX_PARTS, 0);
  const { chunk, etag, checksum } = await receiveBody(store, call, algorithm ?? undefined);
  try {
    if (algorithm && checksum?.algorithm !== algorithm) {
      throw s3Error(
        'InvalidRequest',
        `The part has a ${checksum?.algorithm} checksum, its upload was created with ${algorithm}`,
      );
    }
    const released = store.db.transaction(() => {
      const upload = findUpload(store, call);
      const previous = store.db.get<PartRow>(
        'SELECT * FROM parts WHERE upload = ? AND number = ?',
        upload.id,
        number,
      );
      const body = randomUUID();
      store.addChunk(body, chunk);
      store.db.run(
        'INSERT OR REPLACE INTO parts (upload, number, body, size, etag, modified, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)',
        upload.id,
        number,
        body,
        chunk.size,
        etag,
        store.clock.now(),
        checksum?.value ?? null,
      );
      return previous ? store.dropBody(previous.body) : [];
    });
    store.blobs.remove(released);
  } catch (error) {
    if (chunk.file !== null) store.blobs.remove([chunk.file]);
    throw error;
  }
  return {
    status: 200,
    headers: {
      etag,
      ...(checksum ? { [checksumHeader(checksum.algorithm)]: checksum.value } : {}),
    },
  };
}

export async function completeUpload(store: ObjectStore, call: S3Call): Promise<Reply> {
  const { bucket, key, request, payload } = call;
  const condition = writeCondition(request);
  findUpload(store, call);
  assertWritable(condition, store.find(bucket, key));
  const named = parseXml(await readCheckedText(request, payload)).children.filter(
    ({ name }) => name === 'Part',
  );

  // Reading and judging the parts, the condition and the move are one synchronous stretch: no other request
  // of this (only) server can come between.
  const upload = findUpload(store, call);
  const stored = partsOf(store, upload.id);
  const parts = chooseParts(named, stored, upload.algorithm);
  const checksum =
    upload.algorithm &&
    compositeChecksum(
      upload.algorithm,
      parts.map((part) => part.checksum ?? ''),
    );
  const etag = compositeEtag(parts);
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const object = {
    size,
    etag,
    headers: JSON.parse(upload.headers) as Record<string, string>,
    checksum,
  };
  store.commit(bucket, key, condition, object, (body) => {
    parts.forEach((part, seq) => {
      store.db.run('UPDATE chunks SET body = ?, seq = ? WHERE body = ?', body, seq, part.body);
    });
    return dropUpload(store, upload.id);
  });
  return {
    status: 200,
    body: writeXml('CompleteMultipartUploadResult', [
      ['Location', `/${bucket}/${utf8(key)}`],
      ['Bucket', bucket],
      ['Key', utf8(key)],
      ['ETag', etag],
      ...checksumElements(checksum),
    ]),
  };
}

export function abortUpload(store: ObjectStore, call: S3Call): Reply {
  const { id } = findUpload(store, call);
  store.blobs.remove(store.db.transaction(() => dropUpload(store, id)));
  return { status: 204 };
}

export function listParts(store: ObjectStore, call: S3Call): Reply {
  const { id, algorithm } = findUpload(store, call);
  const limit = Math.min(
    intParam(call.request, 'max-parts', 1, 2 ** 31 - 1, MAX_LISTED),
    MAX_LISTED,
  );
  const marker = intParam(call.request, 'part-number-marker', 0, MAX_PARTS, 0);
  const rest = partsOf(store, id).filter(({ number }) => number > marker);
  const page = rest.slice(0, limit);
  const truncated = rest.length > limit;
  return {
    status: 200,
    body: writeXml('ListPartsResult', [
      ['Bucket', call.bucket],
      ['Key', utf8(call.key)],
      ['UploadId', id],
      ['PartNumberMarker', marker],
      ['NextPartNumberMarker', truncated ? page.at(-1)?.number : undefined],
      ['MaxParts', limit],
      ['IsTruncated', truncated],
      ['ChecksumAlgorithm', algorithm ?? undefined],
      ...page.map(
        (part) =>
          [
            'Part',
            [
              ['PartNumber', part.number],
              ['ETag', part.etag],
              ['Size', part.size],
              ['LastModified', new Date(part.modified).toISOString()],
              ...(algorithm && part.checksum !== null
                ? [[`Checksum${algorithm}`, part.checksum] as const]
                : []),
            ],
          ] as const,
      ),
    ]),
  };
}

/** Uploads in progress, by key and then by id; lets a caller sweep what it abandoned. */
export function listUploads(store: ObjectStore, { bucket, request }: S3Call): Reply {
  store.assertBucket(bucket);
  const limit = Math.min(intParam(request, 'max-uploads', 1, 2 ** 31 - 1, MAX_LISTED), MAX_LISTED);
  const prefix = request.query.get('prefix') ?? '';
  const marker = [
    request.query.get('key-marker') ?? '',
    request.query.get('upload-id-marker') ?? '',
  ] as const;
  const rest = store.db
    .all<UploadRow>(
      'SELECT * FROM uploads WHERE bucket = ? AND (key, id) > (?, ?) ORDER BY key, id',
      bucket,
      Buffer.from(marker[0]),
      // Without an upload id the marker stands behind every upload of its key.
      marker[0] !== '' && marker[1] === '' ? '\u{10ffff}' : marker[1],
    )
    .filter((upload) => utf8(upload.key).startsWith(prefix));
  const page = rest.slice(0, limit);
  const last = rest.length > limit ? page.at(-1) : undefined;
  return {
    status: 200,
    body: writeXml('ListMultipartUploadsResult', [
      ['Bucket', bucket],
      ['KeyMarker', marker[0]],
      ['UploadIdMarker', marker[1]],
      ['Prefix', prefix],
      ['MaxUploads', limit],
      ['IsTruncated', last !== undefined],
      ['NextKeyMarker', last && utf8(last.key)],
      ['NextUploadIdMarker', last?.id],
      ...page.map(
        (upload) =>
          [
            'Upload',
            [
              ['Key', utf8(upload.key)],
              ['UploadId', upload.id],
              ['Initiated', new Date(upload.created).toISOString()],
            ],
          ] as const,
      ),
    ]),
  };
}

/** Removes uploads that nobody has completed or aborted since `before` (epoch milliseconds). */
export function sweepUploads(store: ObjectStore, before: number): void {
  for (const { id } of store.db.all<UploadRow>('SELECT * FROM uploads WHERE created < ?', before)) {
    store.blobs.remove(store.db.transaction(() => dropUpload(store, id)));
  }
}

function findUpload(store: ObjectStore, { bucket, key, request }: S3Call): UploadRow {
  store.assertBucket(bucket);
  const id = request.query.get('uploadId') ?? '';
  const upload = store.db.get<UploadRow>(
    'SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?',
    id,
    bucket,
    key,
  );
  if (!upload)
    throw s3Error(
      'NoSuchUpload',
      `The upload "${id}" does not exist: it was completed, aborted or is for another key`,
    );
  return upload;
}

function partsOf(store: ObjectStore, upload: string): PartRow[] {
  return store.db.all<PartRow>('SELECT * FROM parts WHERE upload = ? ORDER BY number', upload);
}

/** Deletes an upload with the bodies that its parts still own. Returns blob files to remove after the commit. */
function dropUpload(store: ObjectStore, id: string): string[] {
  const files = partsOf(store, id).flatMap(({ body }) => store.dropBody(body));
  store.db.run('DELETE FROM parts WHERE upload = ?', id);
  store.db.run('DELETE FROM uploads WHERE id = ?', id);
  return files;
}

function chooseParts(
  named: readonly XmlElement[],
  stored: readonly PartRow[],
  algorithm: Algorithm | null,
): PartRow[] {
  if (named.length === 0)
    throw s3Error('MalformedXML', 'A completed upload needs at least one <Part>');
  const byNumber = new Map(stored.map((part) => [part.number, part]));
  const parts = named.map((element) => {
    const number = Number(childText(element, 'PartNumber'));
    const part = byNumber.get(number);
    const checksum = algorithm && childText(element, `Checksum${algorithm}`);
    if (
      !part ||
      unquoted(childText(element, 'ETag')) !== unquoted(part.etag) ||
      (checksum && checksum !== part.checksum)
    ) {
      throw s3Error('InvalidPart', `Part ${number} was not uploaded with this ETag and checksum`);
    }
    return part;
  });
  parts.forEach((part, index) => {
    const next = parts[index + 1];
    if (!next) return;
    if (next.number <= part.number)
      throw s3Error('InvalidPartOrder', 'The parts are not in ascending order');
    if (part.size < MIN_PART_BYTES) {
      throw s3Error(
        'EntityTooSmall',
        `Part ${part.number} has ${part.size} bytes; all but the last need ${MIN_PART_BYTES}`,
      );
    }
  });
  return parts;
}

function compositeEtag(parts: readonly PartRow[]): string {
  const md5 = createHash('md5');
  for (const { etag } of parts) md5.update(Buffer.from(unquoted(etag), 'hex'));
  return `"${md5.digest('hex')}-${parts.length}"`;
}

function checksumElements(checksum: Checksum | null): [string, string][] {
  if (!checksum) return [];
  return [
    [`Checksum${checksum.algorithm}`, checksum.value],
    ['ChecksumType', checksum.type],
  ];
}

function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}
