/** Durable state over S3 and SQS: documents with compare-and-set, blobs, leases, a job queue, and the key layout. */
export type { BlobInfo, BlobReader, Blobs, ByteRange, PresignedPut } from './blobs.ts';
export type { StorageOptions } from './context.ts';
export type { Document, Documents } from './documents.ts';
export { StorageError, type StorageErrorCode } from './errors.ts';
export {
  apiKeyKey,
  backboneKeys,
  fileKeys,
  folders,
  isSegment,
  jobKeys,
  promptKeys,
} from './keys.ts';
export type { Lease, LeaseOptions, Leases } from './leases.ts';
export type { ListedObject, ListOptions } from './listing.ts';
export type { Queue, QueueCounts, QueueMessage, QueueSettings, ReceiveOptions } from './queue.ts';
export { createStorage, type Storage } from './storage.ts';
export type { BlobBody, PutResult } from './upload.ts';
