import {
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { systemClock } from '@polyprompt/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlobStore } from '../blobs.ts';
import { Database, type Row } from '../db.ts';
import type { WireRequest } from '../http/request.ts';
import { BUCKET, type TestCloud, testCloud } from '../test-clients.ts';
import type { S3Call } from './call.ts';
import { listObjects } from './listing.ts';
import { ObjectStore } from './store.ts';

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** What S3 documents, by brute force. */
function expected(
  keys: readonly string[],
  { prefix, delimiter, after }: { prefix: string; delimiter: string; after: string },
): string[] {
  const entries = keys
    .filter((key) => key.startsWith(prefix) && byBytes(key, after) > 0)
    .map((key) => {
      const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      return cut < 0 ? key : key.slice(0, cut + delimiter.length);
    });
  return [...new Set(entries)].sort(byBytes);
}

/** All entries, page by page. */
async function listAll(
  { s3 }: TestCloud,
  input: Partial<ListObjectsV2CommandInput>,
): Promise<string[]> {
  const all: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: BUCKET, ...input, ContinuationToken }),
    );
    const entries = [
      ...(page.Contents ?? []).map(({ Key }) => Key!),
      ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!),
    ];
    expect(page.KeyCount).toBe(entries.length);
    expect(entries.length).toBeLessThanOrEqual(input.MaxKeys ?? 1000);
    all.push(...entries.sort(byBytes));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken);
  return all;
}

describe('ListObjectsV2', () => {
  it('agrees with the documented meaning for any keys, prefix, delimiter, start and page size', async () => {
    const cloud = await testCloud();
    const part = fc.string({
      unit: fc.constantFrom('a', 'b', '/', '0', 'é', '\uffff', '😀'),
      maxLength: 5,
    });
    const stored = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          part.filter((key) => key !== ''),
          { maxLength: 4 },
        ),
        part,
        fc.constantFrom('', '/', 'b/'),
        part,
        fc.integer({ min: 1, max: 4 }),
        async (keys, prefix, delimiter, after, MaxKeys) => {
          for (const Key of keys)
            await cloud.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'x' }));
          for (const key of keys) stored.add(key);
          const listed = await listAll(cloud, {
            Prefix: prefix,
            Delimiter: delimiter || undefined,
            StartAfter: after || undefined,
            MaxKeys,
          });
          expect(listed).toEqual(expected([...stored], { prefix, delimiter, after }));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads little of what lies in the folders that it names', async () => {
    let read = 0;
    class CountingDatabase extends Database {
      override all<T extends Row>(...query: Parameters<Database['all']>): T[] {
        const rows = super.all<T>(...query);
        read += rows.length;
        return rows;
      }
    }
    const db = new CountingDatabase(null, 'normal');
    const store = new ObjectStore(db, new BlobStore(null), systemClock);
    db.run('INSERT INTO buckets VALUES (?, 0)', BUCKET);
    const object = { size: 1, etag: '""', headers: {}, checksum: null };
    for (let i = 0; i < 1000; i++) {
      const key = Buffer.from(`f/${String(i % 200).padStart(3, '0')}/${i}`);
      store.commit(BUCKET, key, { kind: 'none' }, object, () => []);
    }
    const query = new Map(Object.entries({ prefix: 'f/', delimiter: '/' }));
    const request = { query } as unknown as WireRequest;
    const call = { request, payload: { kind: 'unsigned' }, bucket: BUCKET, key: Buffer.of() };
    const { body } = listObjects(store, call as S3Call);
    expect(String(body)).toContain('<KeyCount>200</KeyCount><IsTruncated>false');
    expect(read).toBeLessThan(2000);
    db.close();
  });

  it('encodes keys on request', async () => {
    const { s3 } = await testCloud();
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'a b/ü', Body: 'x' }));
    const { Contents } = await s3.send(
      new ListObjectsV2Command({ Bucket: BUCKET, EncodingType: 'url' }),
    );
    expect(Contents?.[0]?.Key).toBe('a%20b/%C3%BC');
  });

  it('refuses a token that is not one', async () => {
    const { s3 } = await testCloud();
    const list = new ListObjectsV2Command({ Bucket: BUCKET, ContinuationToken: '!' });
    await expect(s3.send(list)).rejects.toMatchObject({ name: 'InvalidArgument' });
  });
});
