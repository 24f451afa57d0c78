import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { manualClock } from '@polyprompt/clock';
import { describe, expect, it } from 'vitest';
import { startLocalCloud } from './index.ts';
import { BUCKET, testCloud, testDir } from './test-clients.ts';

describe('startLocalCloud', () => {
  it('listens on loopback only', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.0.1', 'example.org']) {
      await expect(startLocalCloud({ dir: ':memory:', host })).rejects.toMatchObject({
        code: 'not_loopback',
      });
    }
  });

  it('serves a folder once, and says who does', async () => {
    const dir = testDir();
    const first = await testCloud({ dir });
    const second = startLocalCloud({ dir });
    await expect(second).rejects.toMatchObject({
      code: 'dir_in_use',
      message: expect.stringContaining(`pid ${process.pid} at ${first.endpoint}`),
    });
    await first.close();
    await testCloud({ dir });
  });

  it('makes one private key pair per folder', async () => {
    const dir = testDir();
    const first = await testCloud({ dir });
    await first.close();
    const second = await testCloud({ dir });
    expect(second.credentials).toEqual(first.credentials);
    expect(JSON.parse(readFileSync(join(dir, 'credentials.json'), 'utf8'))).toEqual(
      first.credentials,
    );
    expect(statSync(join(dir, 'credentials.json')).mode & 0o777).toBe(0o600);
    expect((await testCloud({ dir: testDir() })).credentials.secretAccessKey).not.toBe(
      first.credentials.secretAccessKey,
    );
  });

  it('refuses a credentials file that is none', async () => {
    const dir = testDir();
    writeFileSync(join(dir, 'credentials.json'), '{"accessKeyId": ""}');
    await expect(startLocalCloud({ dir })).rejects.toMatchObject({ code: 'bad_credentials_file' });
  });

  it('frees the folder when the port is taken', async () => {
    const other = await testCloud();
    const dir = testDir();
    await expect(
      startLocalCloud({ dir, port: Number(new URL(other.endpoint).port) }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await testCloud({ dir });
  });

  it('keeps objects, queues and messages across restarts', async () => {
    const dir = testDir();
    const first = await testCloud({ dir });
    const bodies = { small: 'x', large: 'y'.repeat(500_000) };
    for (const [Key, Body] of Object.entries(bodies))
      await first.s3.send(
        new PutObjectCommand({ Bucket: BUCKET, Key, Body, Metadata: { key: Key } }),
      );
    const { QueueUrl } = await first.sqs.send(new CreateQueueCommand({ QueueName: 'queue' }));
    await first.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'm' }));
    await first.close();

    const second = await testCloud({ dir });
    for (const [Key, want] of Object.entries(bodies)) {
      const { Body, Metadata } = await second.s3.send(
        new GetObjectCommand({ Bucket: BUCKET, Key }),
      );
      expect([await Body?.transformToString(), Metadata]).toEqual([want, { key: Key }]);
    }
    const { Messages } = await second.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: `${second.endpoint}/000000000000/queue` }),
    );
    expect(Messages).toMatchObject([{ Body: 'm' }]);
  });

  it('ends long polls when it closes, and closes once', async () => {
    const clock = manualClock();
    const cloud = await testCloud({ clock });
    const { QueueUrl } = await cloud.sqs.send(new CreateQueueCommand({ QueueName: 'queue' }));
    const poll = cloud.sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    const ended = expect(poll).rejects.toThrow();
    await expect.poll(() => clock.pending).toBe(1);
    await Promise.all([cloud.close(), cloud.close()]);
    await ended;
    expect(clock.pending).toBe(0);
  });
});
