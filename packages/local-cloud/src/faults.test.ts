import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from '@aws-sdk/client-sqs';
import { manualClock } from '@polyprompt/clock';
import { describe, expect, it } from 'vitest';
import { FAULTS, Faults } from './faults.ts';
import { BUCKET, type TestCloud, testCloud } from './test-clients.ts';

const object = { Bucket: BUCKET, Key: 'key' };
const read = async ({ s3 }: TestCloud) =>
  (await s3.send(new GetObjectCommand(object))).Body?.transformToString();
const put = ({ s3 }: TestCloud, Body: string, IfNoneMatch?: string) =>
  s3.send(new PutObjectCommand({ ...object, Body, IfNoneMatch }));

describe('S3 faults', () => {
  it.each([
    ['slowDown', { name: 'SlowDown', $metadata: { httpStatusCode: 503 } }],
    ['internalError', { name: 'InternalError', $metadata: { httpStatusCode: 500 } }],
    ['conflict', { name: 'ConditionalRequestConflict', $metadata: { httpStatusCode: 409 } }],
  ] as const)('%s refuses the call before it takes effect', async (fault, error) => {
    const cloud = await testCloud();
    cloud.faults.script(fault, { operation: 'PutObject' });
    await expect(put(cloud, 'x', '*')).rejects.toMatchObject(error);
    await expect(read(cloud)).rejects.toMatchObject({ name: 'NoSuchKey' });
    await put(cloud, 'x', '*');
    expect(cloud.faults.counts).toEqual({ [fault]: 1 });
  });

  it.each([
    ['errorAfterCommit', { name: 'InternalError' }],
    ['resetAfterCommit', { code: 'ECONNRESET' }],
  ] as const)('%s loses the answer but not the write', async (fault, error) => {
    const cloud = await testCloud();
    cloud.faults.script(fault, { operation: 'PutObject' });
    await expect(put(cloud, 'mine', '*')).rejects.toMatchObject(error);
    await expect(put(cloud, 'mine', '*')).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect(await read(cloud)).toBe('mine');
  });

  it('conflict strikes conditional writes only', async () => {
    const cloud = await testCloud({ faults: new Faults({ rates: { conflict: 1 } }) });
    await put(cloud, 'x');
    await cloud.s3.send(new GetObjectCommand({ ...object, IfMatch: '*' }));
    await expect(
      cloud.s3.send(new DeleteObjectCommand({ ...object, IfMatch: '*' })),
    ).rejects.toMatchObject({ name: 'ConditionalRequestConflict' });
  });

  it.each([10, 500_000])(
    'cutBody breaks a body of %i bytes that was announced in full',
    async (size) => {
      const cloud = await testCloud();
      await put(cloud, 'x'.repeat(size));
      cloud.faults.script('cutBody');
      await expect(read(cloud)).rejects.toThrow();
      expect((await read(cloud))?.length).toBe(size);
    },
  );

  it('slowBody pauses until the clock moves', async () => {
    const clock = manualClock();
    const cloud = await testCloud({ clock });
    await put(cloud, 'content');
    cloud.faults.script('slowBody');
    const reading = read(cloud);
    await expect.poll(() => clock.pending).toBe(1);
    clock.advance(250);
    expect(await reading).toBe('content');
  });
});

describe('SQS faults', () => {
  async function filledQueue(cloud: TestCloud) {
    const { QueueUrl } = await cloud.sqs.send(new CreateQueueCommand({ QueueName: 'queue' }));
    const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `${i}`, MessageBody: `${i}` }));
    await cloud.sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    const receive = async () =>
      (await cloud.sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 })))
        .Messages ?? [];
    return {
      receive,
      remove: (ReceiptHandle?: string) =>
        cloud.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle })),
    };
  }

  it('slowDown is a ServiceUnavailable', async () => {
    const cloud = await testCloud();
    cloud.faults.script('slowDown', { operation: 'CreateQueue' });
    await expect(filledQueue(cloud)).rejects.toMatchObject({
      name: 'ServiceUnavailable',
      $metadata: { httpStatusCode: 503 },
    });
  });

  it('duplicateDelivery brings a deleted message once more', async () => {
    const cloud = await testCloud();
    const { receive, remove } = await filledQueue(cloud);
    cloud.faults.script('duplicateDelivery', { skip: 3 });
    const first = await receive();
    for (const { ReceiptHandle } of first) await remove(ReceiptHandle);
    expect(await receive()).toMatchObject([{ MessageId: first[3]?.MessageId, Body: '3' }]);
  });

  it('earlyRedelivery shows a message again at once', async () => {
    const cloud = await testCloud();
    const { receive } = await filledQueue(cloud);
    cloud.faults.script('earlyRedelivery');
    await receive();
    expect((await receive()).map(({ Body }) => Body)).toEqual(['0']);
  });

  it('reorder and shortReceive change order and number, and lose nothing', async () => {
    const cloud = await testCloud({
      faults: new Faults({ seed: 3, rates: { reorder: 1, shortReceive: 1 } }),
    });
    const { receive, remove } = await filledQueue(cloud);
    const seen: string[] = [];
    const counts: number[] = [];
    while (seen.length < 10) {
      const messages = await receive();
      counts.push(messages.length);
      for (const { Body = '', ReceiptHandle } of messages) {
        seen.push(Body);
        await remove(ReceiptHandle);
      }
    }
    const inOrder = Array.from({ length: 10 }, (_, i) => `${i}`);
    expect([...seen].sort()).toEqual(inOrder);
    expect(counts.length).toBeGreaterThan(1);
  });
});

describe('Faults', () => {
  it('draw the same sequence from the same seed', () => {
    const draw = (seed: number) => {
      const faults = new Faults({ seed, rates: { slowDown: 0.5 } });
      return Array.from({ length: 64 }, () => faults.strikes('slowDown', 'PutObject'));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('strike at about their rate, and never when cleared', () => {
    const faults = new Faults({ rates: { internalError: 0.05 } });
    for (let i = 0; i < 10_000; i++) faults.strikes('internalError', 'GetObject');
    expect(faults.counts.internalError).toBeGreaterThan(400);
    expect(faults.counts.internalError).toBeLessThan(600);
    faults.clear();
    expect(FAULTS.some((fault) => faults.strikes(fault, 'GetObject'))).toBe(false);
  });

  it('refuse an unknown name or a rate that is no probability', () => {
    expect(() => new Faults({ rates: { slowDown: 5 } })).toThrow('slowDown=5');
    expect(() => new Faults({ rates: { typo: 0.5 } as object })).toThrow('typo');
  });
});
