import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createStorage } from './storage.ts';
import { testStorage } from './test-storage.ts';

describe('createStorage', () => {
  it('makes bucket and queue where they are missing, and finds them again', async () => {
    const storage = await testStorage();
    await storage.ensureBucket();
    const queue = await storage.ensureQueue('jobs');
    expect(await storage.another().ensureQueue('jobs')).toEqual(queue);
    await Promise.all([1, 2, 3].map(() => storage.another({ bucket: 'other' }).ensureBucket()));
  });

  it('finds a queue that was made with other settings, and leaves them', async () => {
    const storage = await testStorage();
    const made = await storage.ensureQueue('jobs', { visibilitySeconds: 5, maxReceives: 2 });
    expect(await storage.ensureQueue('jobs')).toEqual(made);
    const queue = storage.queue(made.url, z.string());
    const dead = storage.queue(made.deadLetterUrl, z.string());
    await queue.send('x');
    for (let i = 0; i < 3; i++) await queue.receive({ waitSeconds: 0, visibilitySeconds: 0 });
    expect((await dead.counts()).waiting).toBe(1);
  });

  it('says which call was denied, and to which key', async () => {
    const { another, cloud } = await testStorage();
    const { accessKeyId } = cloud.credentials;
    const stranger = another({ credentials: { accessKeyId, secretAccessKey: 'guess' } });
    const denied = {
      code: 'denied',
      key: 'some/key',
      message: expect.stringContaining('SignatureDoesNotMatch'),
    };
    await expect(stranger.blobs.put('some/key', 'x')).rejects.toMatchObject(denied);
    await expect(stranger.documents(z.string()).read('some/key')).rejects.toMatchObject(denied);
  });

  it('says that the store is down when it is', async () => {
    const { another, cloud } = await testStorage();
    const impatient = another({ maxAttempts: 1 } as object);
    await cloud.close();
    await expect(impatient.blobs.head('key')).rejects.toMatchObject({
      code: 'unavailable',
      key: 'key',
    });
    await expect(impatient.documents(z.string()).create('key', 'x')).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(impatient.ensureQueue('jobs')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('gives up on a store that takes a request and never answers', async () => {
    const mute = createServer((socket) => socket.resume().on('error', () => {}));
    await once(mute.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void mute.close());
    const { port } = mute.address() as AddressInfo;
    const { blobs } = createStorage({
      bucket: 'bucket',
      endpoint: `http://127.0.0.1:${port}`,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 2,
      idleTimeoutMs: 50,
    });
    const silent = { code: 'unavailable', message: expect.stringContaining('50 ms of inactivity') };
    await expect(blobs.head('key')).rejects.toMatchObject(silent);
    await expect(blobs.put('key', 'x')).rejects.toMatchObject(silent);
  });
});
