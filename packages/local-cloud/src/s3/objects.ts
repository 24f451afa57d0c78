/** PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects. */

import type { Chunk } from '../blobs.ts';
import { WireError } from '../errors.ts';
import { type BodyCheck, declaredLength, readText, verifiedBody } from '../http/body.ts';
import type { Reply } from '../http/reply.ts';
import { headerValue, type S3Call, storedHeaders } from './call.ts';
import type { Algorithm } from './checksums.ts';
import { type Checksum, checksumHeaders, FlexibleCheck, Md5Check } from './checksums.ts';
import { assertWritable, notModified, writeCondition } from './conditions.ts';
import { s3Error } from './errors.ts';
import { parseRange } from './range.ts';
import type { ObjectStore, StoredObject } from './store.ts';
import { childText, parseXml, writeXml, type XmlNode } from './xml.ts';

/** S3's limits for one PUT and for one batch delete. */
const MAX_PUT_BYTES = 5 * 1024 ** 3;
const MAX_DELETE_KEYS = 1000;
const MAX_XML_BYTES = 8 * 1024 ** 2;

export interface ReceivedBody {
  readonly chunk: Chunk;
  readonly etag: string;
  readonly checksum: Checksum | null;
}

/** Streams a verified body to the blob store. The caller owns the chunk and must commit or discard it. */
export async function receiveBody(
  store: ObjectStore,
  { request, payload }: S3Call,
  algorithm?: Algorithm,
): Promise<ReceivedBody> {
  const length = declaredLength(request, payload);
  if (length === undefined)
    throw s3Error('MissingContentLength', 'You must provide the Content-Length HTTP header');
  if (length > MAX_PUT_BYTES)
    throw s3Error(
      'EntityTooLarge',
      `One put takes at most ${MAX_PUT_BYTES} bytes, not ${length}; use a multipart upload`,
    );
  const md5 = new Md5Check(request);
  const flexible = new FlexibleCheck(request, algorithm);
  const chunk = await store.blobs.store(verifiedBody(request, payload, [md5, flexible]));
  return { chunk, etag: md5.etag, checksum: flexible.checksum };
}

export async function putObject(store: ObjectStore, call: S3Call): Promise<Reply> {
  const { bucket, key, request } = call;
  const condition = writeCondition(request);
  const headers = storedHeaders(request);
  store.assertBucket(bucket);
  assertWritable(condition, store.find(bucket, key));
  const { chunk, etag, checksum } = await receiveBody(store, call);
  try {
    store.commit(bucket, key, condition, { size: chunk.size, etag, headers, checksum }, (body) => {
      store.addChunk(body, chunk);
      return [];
    });
  } catch (error) {
    if (chunk.file !== null) store.blobs.remove([chunk.file]);
    throw error;
  }
  return { status: 200, headers: { etag, ...checksumHeaders(checksum) } };
}

export function getObject(store: ObjectStore, call: S3Call): Reply {
  const { object, reply } = describeObject(store, call);
  if (reply.status >= 300) return reply;
  const range = parseRange(call.request.header('range'), object.size);
  const { start, end } = range ?? { start: 0, end: object.size };
  return { ...reply, body: store.blobs.read(store.chunks(object.body), start, end) };
}

export function headObject(store: ObjectStore, call: S3Call): Reply {
  return describeObject(store, call).reply;
}

function describeObject(
  store: ObjectStore,
  { bucket, key, request }: S3Call,
): { object: StoredObject; reply: Reply } {
  store.assertBucket(bucket);
  const object = store.find(bucket, key);
  if (!object) throw s3Error('NoSuchKey', 'The specified key does not exist');
  const validators = {
    etag: object.etag,
    'last-modified': new Date(object.modified).toUTCString(),
  };
  if (notModified(request, object)) return { object, reply: { status: 304, headers: validators } };
  const range = parseRange(request.header('range'), object.size);
  const mode = request.header('x-amz-checksum-mode') ?? request.query.get('x-amz-checksum-mode');
  const headers: Record<string, string> = {
    ...object.headers,
    ...validators,
    'accept-ranges': 'bytes',
    'content-length': String(range ? range.end - range.start : object.size),
    // The checksum is the whole object's, so it does not go with a part of it.
    ...(mode?.toUpperCase() === 'ENABLED' && !range ? checksumHeaders(object.checksum) : {}),
    ...(range ? { 'content-range': `bytes ${range.start}-${range.end - 1}/${object.size}` } : {}),
  };
  for (const [name, value] of request.queryPairs) {
    if (name.startsWith('response-')) headers[name.slice('response-'.length)] = headerValue(value);
  }
  return { object, reply: { status: range ? 206 : 200, headers } };
}

export function deleteObject(store: ObjectStore, { bucket, key, request }: S3Call): Reply {
  store.assertBucket(bucket);
  store.remove(bucket, key, writeCondition(request));
  return { status: 204 };
}

export async function deleteObjects(
  store: ObjectStore,
  { bucket, request, payload }: S3Call,
): Promise<Reply> {
  store.assertBucket(bucket);
  const root = parseXml(await readCheckedText(request, payload));
  const targets = root.children.filter(({ name }) => name === 'Object');
  if (root.name !== 'Delete' || targets.length === 0 || targets.length > MAX_DELETE_KEYS) {
    throw s3Error(
      'MalformedXML',
      `Expected <Delete> with 1 to ${MAX_DELETE_KEYS} <Object> elements`,
    );
  }
  const quiet = childText(root, 'Quiet') === 'true';
  const outcome: XmlNode[] = [];
  for (const target of targets) {
    const key = childText(target, 'Key');
    if (key === undefined) throw s3Error('MalformedXML', 'An <Object> has no <Key>');
    const unknown = target.children.find(({ name }) => name !== 'Key' && name !== 'ETag');
    if (unknown)
      throw s3Error('NotImplemented', `<${unknown.name}> in a batch delete is not served`);
    const etag = childText(target, 'ETag');
    try {
      store.remove(
        bucket,
        Buffer.from(key),
        etag === undefined ? { kind: 'none' } : { kind: 'match', etag: etag.replaceAll('"', '') },
      );
      if (!quiet) outcome.push(['Deleted', [['Key', key]]]);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      outcome.push([
        'Error',
        [
          ['Key', key],
          ['Code', error.code],
          ['Message', error.message],
        ],
      ]);
    }
  }
  return { status: 200, body: writeXml('DeleteResult', outcome) };
}

/** Text of an XML request body, with the same digest rules as an object's. */
export function readCheckedText(
  request: S3Call['request'],
  payload: S3Call['payload'],
): Promise<string> {
  const checks: BodyCheck[] = [new Md5Check(request), new FlexibleCheck(request)];
  return readText(request, payload, MAX_XML_BYTES, checks);
}
