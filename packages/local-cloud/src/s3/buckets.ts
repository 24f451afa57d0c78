import type { Reply } from '../http/reply.ts';
import type { S3Call } from './call.ts';
import { s3Error } from './errors.ts';
import type { ObjectStore } from './store.ts';

export function createBucket(store: ObjectStore, { bucket }: S3Call): Reply {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || bucket.includes('..')) {
    throw s3Error(
      'InvalidBucketName',
      `"${bucket}" is not a bucket name: 3 to 63 of a-z, 0-9, "-" and "."`,
    );
  }
  const created = store.db.run(
    'INSERT OR IGNORE INTO buckets (name, created) VALUES (?, ?)',
    bucket,
    store.clock.now(),
  );
  if (created === 0)
    throw s3Error('BucketAlreadyOwnedByYou', `The bucket "${bucket}" already exists and is yours`);
  return { status: 200, headers: { location: `/${bucket}` } };
}

export function headBucket(store: ObjectStore, { bucket }: S3Call): Reply {
  store.assertBucket(bucket);
  return { status: 200 };
}
