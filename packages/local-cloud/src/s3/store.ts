/**
 * The rows of buckets, objects and bodies. All writes to objects go through `commit` and `remove`, which judge
 * the condition inside the transaction and hand replaced blob files to the blob store only after it.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '@polyprompt/clock';
import type { BlobStore, Chunk } from '../blobs.ts';
import type { Database } from '../db.ts';
import type { Checksum } from './checksums.ts';
import { assertWritable, type WriteCondition } from './conditions.ts';
import { s3Error } from './errors.ts';

export interface StoredObject {
  readonly body: string;
  readonly size: number;
  readonly etag: string;
  readonly modified: number;
  /** Content headers and user metadata, as they are sent back. */
  readonly headers: Record<string, string>;
  readonly checksum: Checksum | null;
}

export type NewObject = Omit<StoredObject, 'body' | 'modified'>;

interface ObjectRow extends Record<string, unknown> {
  body: string;
  size: number;
  etag: string;
  modified: number;
  headers: string;
  checksum: string | null;
}

export class ObjectStore {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;

  constructor(db: Database, blobs: BlobStore, clock: Clock) {
    this.db = db;
    this.blobs = blobs;
    this.clock = clock;
  }

  /** @throws WireError `NoSuchBucket`. */
  assertBucket(bucket: string): void {
    if (!this.db.get('SELECT 1 FROM buckets WHERE name = ?', bucket)) {
      throw s3Error('NoSuchBucket', `The bucket "${bucket}" does not exist`);
    }
  }

  find(bucket: string, key: Buffer): StoredObject | undefined {
    const row = this.db.get<ObjectRow>(
      'SELECT body, size, etag, modified, headers, checksum FROM objects WHERE bucket = ? AND key = ?',
      bucket,
      key,
    );
    return (
      row && {
        ...row,
        headers: JSON.parse(row.headers),
        checksum: row.checksum === null ? null : JSON.parse(row.checksum),
      }
    );
  }

  chunks(body: string): Chunk[] {
    return this.db.all<Chunk & Record<string, unknown>>(
      'SELECT size, data, file FROM chunks WHERE body = ? ORDER BY seq',
      body,
    );
  }

  addChunk(body: string, chunk: Chunk): void {
    this.db.run(
      'INSERT INTO chunks (body, seq, size, data, file) VALUES (?, 0, ?, ?, ?)',
      body,
      chunk.size,
      chunk.data,
      chunk.file,
    );
  }

  /** Deletes a body's rows; the returned files must be removed once the transaction has committed. */
  dropBody(body: string): string[] {
    const files = this.db.all<{ file: string }>(
      'SELECT file FROM chunks WHERE body = ? AND file IS NOT NULL',
      body,
    );
    this.db.run('DELETE FROM chunks WHERE body = ?', body);
    return files.map(({ file }) => file);
  }

  /**
   * Makes `object` the content of the key if `condition` holds. `attach` files the chunks under the new body
   * inside the same transaction and may name blob files that it made superfluous.
   */
  commit(
    bucket: string,
    key: Buffer,
    condition: WriteCondition,
    object: NewObject,
    attach: (body: string) => string[],
  ): void {
    const body = randomUUID();
    const released = this.db.transaction(() => {
      this.assertBucket(bucket);
      const current = this.find(bucket, key);
      assertWritable(condition, current);
      const files = attach(body);
      this.db.run(
        `INSERT OR REPLACE INTO objects (bucket, key, body, size, etag, modified, headers, checksum)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        bucket,
        key,
        body,
        object.size,
        object.etag,
        this.clock.now(),
        JSON.stringify(object.headers),
        object.checksum && JSON.stringify(object.checksum),
      );
      return current ? [...files, ...this.dropBody(current.body)] : files;
    });
    this.blobs.remove(released);
  }

  /** Deletes the key if `condition` holds; deleting nothing is a success, as in S3. */
  remove(bucket: string, key: Buffer, condition: WriteCondition): void {
    const released = this.db.transaction(() => {
      const current = this.find(bucket, key);
      assertWritable(condition, current);
      if (!current) return [];
      this.db.run('DELETE FROM objects WHERE bucket = ? AND key = ?', bucket, key);
      return this.dropBody(current.body);
    });
    this.blobs.remove(released);
  }
}
