/** Clients that leave in the middle, over real sockets. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startServer } from './setup.ts';

const { url, key, publish, registry, storage, log, engine } = await startServer();
const secret = await key('acme', 'tune');
await publish('acme', 'topics', { seed: 1 });

/** Sends the beginning of a request, then breaks the connection once `seen` says so. */
async function leave(head: string, body: string, seen: () => Promise<boolean>): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(`${head}\r\nhost: x\r\nauthorization: Bearer ${secret}\r\n\r\n${body}`);
  while (!(await seen())) await sleep(5);
  socket.destroy();
}

async function loggedLast(operation: string): Promise<{ status: number; level: number }> {
  for (;;) {
    const line = log.map((each) => JSON.parse(each)).find((each) => each.operation === operation);
    if (line) return line;
    await sleep(5);
  }
}

it('an upload that breaks off leaves nothing, and is no failure of ours', async () => {
  const head = [
    'POST /v1/files HTTP/1.1',
    'content-type: multipart/form-data; boundary=x',
    'content-length: 100000',
  ].join('\r\n');
  const part = 'content-disposition: form-data; name="file"; filename="a.jsonl"';
  const openRequests = async () =>
    /requests_open 1/.test(await (await fetch(`${url}/metrics`)).text());
  await leave(head, `--x\r\n${part}\r\n\r\n{"text":`, async () => !(await openRequests()));
  expect(await loggedLast('createFile')).toMatchObject({ status: 499, level: 30 });
  expect((await registry.files.list('acme', { limit: 10 })).items).toEqual([]);
  const kept: string[] = [];
  for await (const { key: stored } of storage.list('tenants/acme/files/')) kept.push(stored);
  expect(kept).toEqual([]);
});

it('an inference request that nobody waits for any more is given up', async () => {
  const body = JSON.stringify({ inputs: Array(128).fill('the rain is a snow') });
  const head = `POST /models/topics HTTP/1.1\r\ncontent-length: ${body.length}`;
  await leave(head, body, async () => engine.stats().pendingInputs > 0);
  expect(await loggedLast('infer')).toMatchObject({ status: 499, level: 30 });
  while (engine.stats().pendingInputs > 0) await sleep(5);
});
