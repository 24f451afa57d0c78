import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { manualClock } from '@polyprompt/clock';
import { expect, it } from 'vitest';
import { testStorage } from './test-storage.ts';

it('aborts uploads that began before a moment, and no others', async () => {
  const clock = manualClock(Date.UTC(2026, 10, 21));
  const { context, abortUploads, blobs } = await testStorage({ clock });
  const { s3, bucket } = context;
  const begin = (Key: string) => s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
  for (const key of ['tenants/a/one', 'tenants/a/two', 'elsewhere']) await begin(key);
  await blobs.put('tenants/a/done', Buffer.alloc(9 * 1024 ** 2));
  clock.advance(1000);
  const moment = clock.now();
  await begin('tenants/a/young');
  expect(await abortUploads('tenants/', moment)).toBe(2);
  expect(await abortUploads('tenants/', moment)).toBe(0);
  const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  expect(Uploads?.map(({ Key }) => Key)).toEqual(['elsewhere', 'tenants/a/young']);
  expect((await blobs.head('tenants/a/done'))?.size).toBe(9 * 1024 ** 2);
});
