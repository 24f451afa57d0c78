import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { describe, expect, it } from 'vitest';
import { INLINE_BYTES } from '../blobs.ts';
import { BUCKET, type TestCloud, testCloud, testDir } from '../test-clients.ts';

const put = (
  { s3 }: TestCloud,
  Key: string,
  Body: PutObjectCommandInput['Body'],
  more: Partial<PutObjectCommandInput> = {},
) => s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body, ...more }));
const get = ({ s3 }: TestCloud, Key: string) =>
  s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
const text = async (cloud: TestCloud, key: string) =>
  (await get(cloud, key)).Body?.transformToString();

describe('put and get', () => {
  it.each([0, 1, INLINE_BYTES, INLINE_BYTES + 1, 1_500_000])(
    'return %i bytes as they were, buffered and streamed',
    async (size) => {
      const cloud = await testCloud({ dir: testDir() });
      const bytes = Buffer.alloc(size, 'local');
      await put(cloud, 'buffer', bytes);
      await put(
        cloud,
        'stream',
        Readable.from([bytes.subarray(0, size / 2), bytes.subarray(size / 2)]),
        { ContentLength: size },
      );
      for (const key of ['buffer', 'stream']) {
        const { Body, ETag, ContentLength } = await get(cloud, key);
        expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
        expect([ETag, ContentLength]).toEqual([
          `"${createHash('md5').update(bytes).digest('hex')}"`,
          size,
        ]);
      }
    },
  );

  it('keep keys that a URL parser or a file system would change', async () => {
    const cloud = await testCloud();
    const keys = ['../up', 'a/../b', './c', 'a//b', '/lead', 'tail/', '%2e%2e', 'nul', 'ünï/😀'];
    for (const key of keys) await put(cloud, key, key);
    for (const key of keys) expect(await text(cloud, key)).toBe(key);
  });

  it('replace a large body without leaving its file', async () => {
    const dir = testDir();
    const cloud = await testCloud({ dir });
    await put(cloud, 'key', Buffer.alloc(300_000, 1));
    await put(cloud, 'key', Buffer.alloc(400_000, 2));
    expect(readdirSync(join(dir, 'blobs'))).toHaveLength(1);
    await cloud.s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: 'key' }));
    expect(readdirSync(join(dir, 'blobs'))).toEqual([]);
  });
});

describe('integrity', () => {
  const body = Buffer.alloc(200_000, 'x');
  const other = (algorithm: string) => createHash(algorithm).update('other').digest('base64');

  it.each<[string, Partial<PutObjectCommandInput>]>([
    ['Content-MD5', { ContentMD5: other('md5') }],
    ['CRC32', { ChecksumCRC32: 'AAAAAA==' }],
    ['SHA1', { ChecksumSHA1: other('sha1') }],
    ['SHA256', { ChecksumSHA256: other('sha256') }],
  ])('a wrong %s is refused and nothing is stored', async (_, claim) => {
    const dir = testDir();
    const cloud = await testCloud({ dir });
    await expect(put(cloud, 'key', body, claim)).rejects.toMatchObject({ name: 'BadDigest' });
    await expect(get(cloud, 'key')).rejects.toMatchObject({ name: 'NoSuchKey' });
    expect(readdirSync(join(dir, 'blobs'))).toEqual([]);
  });

  it('an upload that breaks off leaves nothing', async () => {
    const dir = testDir();
    const cloud = await testCloud({ dir });
    const url = await getSignedUrl(cloud.s3, new PutObjectCommand({ Bucket: BUCKET, Key: 'key' }), {
      expiresIn: 60,
    });
    await new Promise<void>((resolve) => {
      const upload = request(url, { method: 'PUT', headers: { 'content-length': 1_000_000 } });
      upload.on('error', () => resolve());
      upload.write(body, () => upload.destroy());
    });
    await expect(get(cloud, 'key')).rejects.toMatchObject({ name: 'NoSuchKey' });
    await expect.poll(() => readdirSync(join(dir, 'blobs'))).toEqual([]);
  });

  it('unserved checksums, headers and sub-resources are refused, not ignored', async () => {
    const cloud = await testCloud();
    const unserved: Partial<PutObjectCommandInput>[] = [
      { ChecksumAlgorithm: 'CRC64NVME' },
      { ACL: 'public-read' },
      { Tagging: 'a=b' },
      { StorageClass: 'GLACIER' },
    ];
    for (const option of unserved) {
      await expect(put(cloud, 'key', 'x', option)).rejects.toMatchObject({
        name: 'NotImplemented',
      });
    }
    const version = new GetObjectCommand({ Bucket: BUCKET, Key: 'key', VersionId: '1' });
    await expect(cloud.s3.send(version)).rejects.toMatchObject({ name: 'NotImplemented' });
  });
});

describe('conditions', () => {
  it('refuse an upload before its body is sent', async () => {
    const cloud = await testCloud();
    await put(cloud, 'key', 'first');
    const command = new PutObjectCommand({ Bucket: BUCKET, Key: 'key', IfNoneMatch: '*' });
    const sign = new Set(['if-none-match', 'host']);
    const url = await getSignedUrl(cloud.s3, command, {
      expiresIn: 60,
      unhoistableHeaders: new Set(['if-none-match']),
      signableHeaders: sign,
    });
    const invited: string[] = [];
    const status = await new Promise((resolve, reject) => {
      const headers = {
        'content-length': 10_000_000,
        'if-none-match': '*',
        expect: '100-continue',
      };
      const upload = request(url, { method: 'PUT', headers }, (response) => {
        resolve(response.statusCode);
        upload.destroy();
      });
      upload.on('continue', () => invited.push('continue'));
      upload.on('error', reject);
      upload.flushHeaders();
    });
    expect([status, invited]).toEqual([412, []]);
  });

  it('are judged again when the body has arrived', async () => {
    const cloud = await testCloud();
    const command = new PutObjectCommand({ Bucket: BUCKET, Key: 'key', IfNoneMatch: '*' });
    const url = await getSignedUrl(cloud.s3, command, {
      expiresIn: 60,
      unhoistableHeaders: new Set(['if-none-match']),
      signableHeaders: new Set(['if-none-match', 'host']),
    });
    const status = await new Promise((resolve, reject) => {
      const headers = { 'content-length': 4, 'if-none-match': '*', expect: '100-continue' };
      const upload = request(url, { method: 'PUT', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      upload.on('error', reject);
      // Invited, so the first check has passed; now another writer is faster.
      upload.on('continue', () => put(cloud, 'key', 'fast').then(() => upload.end('slow'), reject));
      upload.flushHeaders();
    });
    expect([status, await text(cloud, 'key')]).toEqual([412, 'fast']);
  });

  it('of a delete: 412 when changed, 404 when gone', async () => {
    const cloud = await testCloud();
    const remove = (IfMatch: string) =>
      cloud.s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: 'key', IfMatch }));
    await expect(remove('"x"')).rejects.toMatchObject({ name: 'NoSuchKey' });
    const { ETag } = await put(cloud, 'key', 'x');
    await expect(remove('"x"')).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await remove(ETag!);
    await expect(remove('*')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('of a batch delete are judged per key', async () => {
    const cloud = await testCloud();
    const { ETag } = await put(cloud, 'a', 'x');
    await put(cloud, 'b', 'y');
    const result = await cloud.s3.send(
      new DeleteObjectsCommand({
        Bucket: BUCKET,
        Delete: { Objects: [{ Key: 'a', ETag }, { Key: 'b', ETag }, { Key: 'c' }] },
      }),
    );
    expect(result.Deleted?.map(({ Key }) => Key)).toEqual(['a', 'c']);
    expect(result.Errors).toMatchObject([{ Key: 'b', Code: 'PreconditionFailed' }]);
  });

  it('of a read by date follow RFC 9110', async () => {
    const cloud = await testCloud();
    await put(cloud, 'key', 'x');
    const head = (when: object) =>
      cloud.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'key', ...when }));
    const past = new Date(0);
    const future = new Date(Date.now() + 60_000);
    await head({ IfModifiedSince: past });
    await head({ IfUnmodifiedSince: future });
    await expect(head({ IfModifiedSince: future })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 304 },
    });
    await expect(head({ IfUnmodifiedSince: past })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 412 },
    });
  });
});
