import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { expect, it, onTestFinished } from 'vitest';
import type { Credentials } from './credentials.ts';
import { BUCKET, clients, testCloud, testDir } from './test-clients.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

async function spawnServer(dir: string) {
  const child = spawn(process.execPath, [MAIN, '--dir', dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  for await (const text of child.stdout!) {
    output += text;
    if (output.includes('Credentials in ')) break;
  }
  const endpoint = /http:\S+/.exec(output)?.[0] ?? '';
  const credentials = JSON.parse(
    readFileSync(join(dir, 'credentials.json'), 'utf8'),
  ) as Credentials;
  return { child, endpoint, ...clients({ endpoint, credentials }) };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

it('keeps every acknowledged write when it is killed in the middle of many, three times over', async () => {
  const dir = testDir();
  const setup = await testCloud({ dir });
  await setup.sqs.send(new CreateQueueCommand({ QueueName: 'queue' }));
  await setup.close();

  const objects = new Map<string, string>();
  const messages = new Set<string>();
  for (let round = 0; round < 3; round++) {
    const { child, endpoint, s3, sqs } = await spawnServer(dir);
    const QueueUrl = `${endpoint}/000000000000/queue`;
    let acknowledged = 0;
    // Writers go on until the server is gone; one in four bodies is large enough for a file.
    const writer = async (name: string) => {
      for (let i = 0; ; i++) {
        const Key = `${round}/${name}/${i}`;
        const Body = `${Key}:`.repeat(i % 4 === 0 ? 30_000 : 10);
        await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
        objects.set(Key, createHash('sha256').update(Body).digest('hex'));
        await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: Key }));
        messages.add(Key);
        acknowledged++;
      }
    };
    const writers = Promise.allSettled(['a', 'b', 'c', 'd'].map(writer));
    await expect.poll(() => acknowledged, { timeout: 20_000, interval: 5 }).toBeGreaterThan(40);
    await kill(child);
    for (const { status } of await writers) expect(status).toBe('rejected');
  }

  const { s3, sqs, endpoint } = await testCloud({ dir });
  for (const [Key, sha256] of objects) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
    expect(
      createHash('sha256')
        .update(await Body!.transformToByteArray())
        .digest('hex'),
    ).toBe(sha256);
  }
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  const large = Contents.filter(({ Size = 0 }) => Size > 128 * 1024);
  // What was written without an answer is either whole or gone: no file is left over.
  expect(readdirSync(join(dir, 'blobs'))).toHaveLength(large.length);

  const received = new Set<string>();
  const QueueUrl = `${endpoint}/000000000000/queue`;
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
    );
    if (Messages.length === 0) break;
    for (const { Body = '', ReceiptHandle } of Messages) {
      received.add(Body);
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
  expect([...messages].filter((body) => !received.has(body))).toEqual([]);
});
