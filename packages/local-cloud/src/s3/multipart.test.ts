import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { manualClock } from '@polyprompt/clock';
import { describe, expect, it } from 'vitest';
import { BUCKET, type TestCloud, testCloud, testDir } from '../test-clients.ts';

const PART = 5 * 1024 ** 2;
const target = { Bucket: BUCKET, Key: 'key' };
const blobs = (dir: string) => readdirSync(join(dir, 'blobs'));

async function create({ s3 }: TestCloud, options: Partial<CreateMultipartUploadCommandInput> = {}) {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...target, ...options }));
  const upload = { ...target, UploadId };
  return {
    upload,
    part: async (PartNumber: number, Body: Buffer | string): Promise<CompletedPart> => {
      const { ETag, ChecksumSHA256 } = await s3.send(
        new UploadPartCommand({
          ...upload,
          PartNumber,
          Body,
          ChecksumAlgorithm: options.ChecksumAlgorithm,
        }),
      );
      return { PartNumber, ETag, ChecksumSHA256 };
    },
    complete: (Parts: CompletedPart[], IfNoneMatch?: string) =>
      s3.send(
        new CompleteMultipartUploadCommand({ ...upload, IfNoneMatch, MultipartUpload: { Parts } }),
      ),
  };
}

describe('multipart upload', () => {
  it('joins the chosen parts, drops the others and composes the checksum', async () => {
    const dir = testDir();
    const cloud = await testCloud({ dir });
    const { part, complete } = await create(cloud, { ChecksumAlgorithm: 'SHA256' });
    const bodies = [Buffer.alloc(PART, 'a'), Buffer.alloc(100, 'b')];
    await part(1, 'replaced');
    const parts = [await part(1, bodies[0]!), await part(3, bodies[1]!)];
    await part(2, Buffer.alloc(PART, 'unused'));
    await complete(parts);

    const { Body, ChecksumSHA256, ChecksumType } = await cloud.s3.send(
      new GetObjectCommand({ ...target, ChecksumMode: 'ENABLED' }),
    );
    expect(
      Buffer.from((await Body?.transformToByteArray()) ?? []).equals(Buffer.concat(bodies)),
    ).toBe(true);
    const digests = Buffer.concat(bodies.map((body) => createHash('sha256').update(body).digest()));
    expect([ChecksumSHA256, ChecksumType]).toEqual([
      `${createHash('sha256').update(digests).digest('base64')}-2`,
      'COMPOSITE',
    ]);
    expect(blobs(dir)).toHaveLength(1);
  });

  it('reads a range across parts', async () => {
    const cloud = await testCloud({ dir: testDir() });
    const { part, complete } = await create(cloud);
    await complete([await part(1, Buffer.alloc(PART, 'a')), await part(2, 'tail')]);
    const { Body, ContentRange } = await cloud.s3.send(
      new GetObjectCommand({ ...target, Range: 'bytes=-6' }),
    );
    expect([await Body?.transformToString(), ContentRange]).toEqual([
      'aatail',
      `bytes ${PART - 2}-${PART + 3}/${PART + 4}`,
    ]);
  });

  it('has one winner when two complete with If-None-Match', async () => {
    const cloud = await testCloud();
    const uploads = await Promise.all([create(cloud), create(cloud), create(cloud)]);
    const parts = await Promise.all(uploads.map(({ part }, i) => part(1, `body ${i}`)));
    const outcomes = await Promise.allSettled(
      uploads.map(({ complete }, i) => complete([parts[i]!], '*')),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ name: 'PreconditionFailed' });
    }
  });

  it('refuses parts that were not uploaded so, in that order', async () => {
    const cloud = await testCloud();
    const { part, complete } = await create(cloud);
    const parts = [await part(1, 'a'), await part(2, 'b')];
    await expect(complete([{ ...parts[0], ETag: '"x"' }])).rejects.toMatchObject({
      name: 'InvalidPart',
    });
    await expect(complete([{ PartNumber: 9, ETag: '"x"' }])).rejects.toMatchObject({
      name: 'InvalidPart',
    });
    await expect(complete([parts[1]!, parts[0]!])).rejects.toMatchObject({
      name: 'InvalidPartOrder',
    });
    await expect(complete(parts)).rejects.toMatchObject({ name: 'EntityTooSmall' });
    await complete([parts[0]!]);
    await expect(complete([parts[0]!])).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  it('leaves no file after an abort', async () => {
    const dir = testDir();
    const cloud = await testCloud({ dir });
    const { upload, part } = await create(cloud);
    await part(1, Buffer.alloc(PART));
    await cloud.s3.send(new AbortMultipartUploadCommand(upload));
    expect(blobs(dir)).toEqual([]);
    await expect(cloud.s3.send(new HeadObjectCommand(target))).rejects.toMatchObject({
      name: 'NotFound',
    });
  });

  it('lists parts and uploads in pages', async () => {
    const cloud = await testCloud();
    const { upload, part } = await create(cloud);
    for (const number of [3, 1, 2]) await part(number, `part ${number}`);
    const first = await cloud.s3.send(new ListPartsCommand({ ...upload, MaxParts: 2 }));
    const second = await cloud.s3.send(
      new ListPartsCommand({ ...upload, PartNumberMarker: first.NextPartNumberMarker }),
    );
    expect([...first.Parts!, ...second.Parts!].map(({ PartNumber }) => PartNumber)).toEqual([
      1, 2, 3,
    ]);
    expect([first.IsTruncated, second.IsTruncated]).toEqual([true, false]);

    await create(cloud);
    await create(cloud, { Key: 'other' });
    const list = (marker: object) =>
      cloud.s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET, MaxUploads: 2, ...marker }));
    const page = await list({});
    const rest = await list({
      KeyMarker: page.NextKeyMarker,
      UploadIdMarker: page.NextUploadIdMarker,
    });
    expect([...page.Uploads!, ...rest.Uploads!].map(({ Key }) => Key)).toEqual([
      'key',
      'key',
      'other',
    ]);
    expect((await list({ KeyMarker: 'key' })).Uploads?.map(({ Key }) => Key)).toEqual(['other']);
  });

  it('is swept when abandoned for a week', async () => {
    const dir = testDir();
    const cloud = await testCloud({ dir });
    const { part } = await create(cloud);
    await part(1, Buffer.alloc(PART));
    await cloud.close();
    const clock = manualClock(Date.now() + 8 * 24 * 3600_000);
    await testCloud({ dir, clock, maxSkewMs: Number.POSITIVE_INFINITY });
    expect(blobs(dir)).toEqual([]);
  });
});
