/** The one object that the rest of the product holds. */
import { CreateBucketCommand, HeadBucketCommand } from '@aws-sdk/client-s3';
import type { z } from 'zod';
import { Blobs } from './blobs.ts';
import {
  createContext,
  errorName,
  isMissing,
  type StorageOptions,
  storageError,
} from './context.ts';
import { Documents } from './documents.ts';
import { Leases } from './leases.ts';
import { type ListedObject, type ListOptions, list, listFolders } from './listing.ts';
import { ensureQueue, Queue, type QueueSettings } from './queue.ts';
import { abortUploads } from './stale-uploads.ts';

export interface Storage {
  readonly blobs: Blobs;
  readonly leases: Leases;
  /** Documents whose values have the form of `schema`. */
  documents<T>(schema: z.ZodType<T>): Documents<T>;
  /** Every object under a prefix, in key order, fetched as you iterate. */
  list(prefix: string, options?: ListOptions): AsyncGenerator<ListedObject>;
  /** Names of the folders directly under a folder. */
  listFolders(folder: string, options?: ListOptions): AsyncGenerator<string>;
  /**
   * Aborts uploads under a prefix that began before a moment (epoch milliseconds, the store's clock) and were never
   * completed. @returns how many
   */
  abortUploads(prefix: string, before: number): Promise<number>;
  queue<T>(url: string, schema: z.ZodType<T>): Queue<T>;
  /** Creates the bucket where it is missing, as the local default needs. */
  ensureBucket(): Promise<void>;
  /** Creates a queue and `<name>-dead` where they are missing; settings apply to a new one. */
  ensureQueue(
    name: string,
    settings?: QueueSettings,
  ): Promise<{ url: string; deadLetterUrl: string }>;
  /** Closes the connections. */
  close(): void;
}

/** Opens nothing yet: the first call does. */
export function createStorage(options: StorageOptions): Storage {
  const context = createContext(options);
  const { s3, sqs, bucket } = context;
  return {
    blobs: new Blobs(context),
    leases: new Leases(context),
    documents: (schema) => new Documents(context, schema),
    list: (prefix, listOptions) => list(context, prefix, listOptions),
    listFolders: (folder, listOptions) => listFolders(context, folder, listOptions),
    abortUploads: (prefix, before) => abortUploads(context, prefix, before),
    queue: (url, schema) => new Queue(context, url, schema),
    ensureQueue: (name, settings) => ensureQueue(context, name, settings),
    async ensureBucket() {
      try {
        await s3.send(new HeadBucketCommand({ Bucket: bucket }));
      } catch (error) {
        if (!isMissing(error)) throw storageError(error, 'looking for the bucket', bucket);
        await s3.send(new CreateBucketCommand({ Bucket: bucket })).catch((failure) => {
          if (errorName(failure) !== 'BucketAlreadyOwnedByYou')
            throw storageError(failure, 'creating the bucket', bucket);
        });
      }
    },
    close() {
      s3.destroy();
      sqs.destroy();
    },
  };
}
