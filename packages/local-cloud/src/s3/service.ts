/** The table of S3 operations. What is not in it, down to single query parameters and headers, is refused. */

import type { Reply } from '../http/reply.ts';
import type { WireRequest } from '../http/request.ts';
import type { Payload } from '../sigv4/verify.ts';
import { createBucket, headBucket } from './buckets.ts';
import type { S3Call } from './call.ts';
import { s3Error } from './errors.ts';
import { listObjects } from './listing.ts';
import {
  abortUpload,
  completeUpload,
  createUpload,
  listParts,
  listUploads,
  uploadPart,
} from './multipart.ts';
import { deleteObject, deleteObjects, getObject, headObject, putObject } from './objects.ts';
import type { ObjectStore } from './store.ts';

interface Operation {
  readonly name: string;
  readonly method: string;
  readonly on: 'bucket' | 'key';
  /** Query parameters that select the operation. */
  readonly requires: readonly string[];
  readonly allows: readonly string[];
  readonly handle: (store: ObjectStore, call: S3Call) => Reply | Promise<Reply>;
}

const READ_PARAMS = [
  'response-content-type',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-cache-control',
  'response-expires',
];

// Operations with more selecting parameters come first.
const OPERATIONS: readonly Operation[] = [
  {
    name: 'UploadPart',
    method: 'PUT',
    on: 'key',
    requires: ['partNumber', 'uploadId'],
    allows: [],
    handle: uploadPart,
  },
  {
    name: 'CompleteMultipartUpload',
    method: 'POST',
    on: 'key',
    requires: ['uploadId'],
    allows: [],
    handle: completeUpload,
  },
  {
    name: 'CreateMultipartUpload',
    method: 'POST',
    on: 'key',
    requires: ['uploads'],
    allows: [],
    handle: createUpload,
  },
  {
    name: 'AbortMultipartUpload',
    method: 'DELETE',
    on: 'key',
    requires: ['uploadId'],
    allows: [],
    handle: abortUpload,
  },
  {
    name: 'ListParts',
    method: 'GET',
    on: 'key',
    requires: ['uploadId'],
    allows: ['max-parts', 'part-number-marker'],
    handle: listParts,
  },
  { name: 'PutObject', method: 'PUT', on: 'key', requires: [], allows: [], handle: putObject },
  {
    name: 'GetObject',
    method: 'GET',
    on: 'key',
    requires: [],
    allows: READ_PARAMS,
    handle: getObject,
  },
  {
    name: 'HeadObject',
    method: 'HEAD',
    on: 'key',
    requires: [],
    allows: READ_PARAMS,
    handle: headObject,
  },
  {
    name: 'DeleteObject',
    method: 'DELETE',
    on: 'key',
    requires: [],
    allows: [],
    handle: deleteObject,
  },
  {
    name: 'ListObjectsV2',
    method: 'GET',
    on: 'bucket',
    requires: ['list-type'],
    allows: [
      'prefix',
      'delimiter',
      'max-keys',
      'start-after',
      'continuation-token',
      'encoding-type',
    ],
    handle: listObjects,
  },
  {
    name: 'ListMultipartUploads',
    method: 'GET',
    on: 'bucket',
    requires: ['uploads'],
    allows: ['prefix', 'max-uploads', 'key-marker', 'upload-id-marker'],
    handle: listUploads,
  },
  {
    name: 'DeleteObjects',
    method: 'POST',
    on: 'bucket',
    requires: ['delete'],
    allows: [],
    handle: deleteObjects,
  },
  {
    name: 'CreateBucket',
    method: 'PUT',
    on: 'bucket',
    requires: [],
    allows: [],
    handle: createBucket,
  },
  {
    name: 'HeadBucket',
    method: 'HEAD',
    on: 'bucket',
    requires: [],
    allows: [],
    handle: headBucket,
  },
];

/**
 * Query parameters that any operation may carry: the signature, the SDK's operation hint, and what its
 * presigner moves from headers into the query. A checksum there is not enforced: the presigner computes it
 * over the empty body that it has at signing time.
 */
const COMMON_PARAM =
  /^(X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Content-Sha256)|x-id|x-amz-meta-.+|x-amz-checksum-(mode|crc32|sha1|sha256)|x-amz-sdk-checksum-algorithm)$/;

const KNOWN_HEADER =
  /^x-amz-(date|content-sha256|user-agent|decoded-content-length|trailer|meta-.+|sdk-checksum-algorithm|checksum-(mode|algorithm|crc32|sha1|sha256))$/;

const MAX_KEY_BYTES = 1024;

export interface ResolvedOperation {
  readonly name: string;
  run(): Reply | Promise<Reply>;
}

/**
 * Finds the operation that a request asks for.
 * @throws WireError `NotImplemented` naming what is not served; `KeyTooLongError`; `MethodNotAllowed`.
 */
export function resolveS3(
  store: ObjectStore,
  request: WireRequest,
  payload: Payload,
): ResolvedOperation {
  const slash = request.path.indexOf('/', 1);
  const bucket = request.path.slice(1, slash < 0 ? undefined : slash);
  const key = Buffer.from(slash < 0 ? '' : request.path.slice(slash + 1));
  if (bucket === '')
    throw s3Error(
      'NotImplemented',
      'Only path-style requests to one bucket are served (set forcePathStyle)',
    );
  if (key.length > MAX_KEY_BYTES)
    throw s3Error(
      'KeyTooLongError',
      `Your key is too long: ${key.length} bytes, the limit is ${MAX_KEY_BYTES}`,
    );

  const on = key.length > 0 ? 'key' : 'bucket';
  const operation = OPERATIONS.find(
    (entry) =>
      entry.method === request.method &&
      entry.on === on &&
      entry.requires.every((name) => request.query.has(name)),
  );
  if (!operation)
    throw s3Error(
      'MethodNotAllowed',
      `${request.method} ${request.rawPath} is not an operation that is served here`,
    );
  assertServed(operation, request);
  return {
    name: operation.name,
    run: () => operation.handle(store, { request, payload, bucket, key }),
  };
}

/** A parameter or header that would change the meaning of the call must not be ignored. */
function assertServed(operation: Operation, request: WireRequest): void {
  const param = [...request.query.keys()].find(
    (name) =>
      !operation.requires.includes(name) &&
      !operation.allows.includes(name) &&
      !COMMON_PARAM.test(name),
  );
  if (param !== undefined)
    throw s3Error(
      'NotImplemented',
      `The query parameter "${param}" of ${operation.name} is not served`,
    );
  const header = request.headerNames.find(
    (name) => name.startsWith('x-amz-') && !KNOWN_HEADER.test(name),
  );
  if (header !== undefined)
    throw s3Error('NotImplemented', `The header "${header}" of ${operation.name} is not served`);
}
