import { createHash } from 'node:crypto';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { all, ROUGH, testStorage } from './test-storage.ts';

const MIB = 1024 ** 2;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Bytes that differ everywhere, so that a wrong offset shows. */
function sample(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 4)
    bytes.writeUInt32LE((i * 2654435761) >>> 0, Math.min(i, Math.max(size - 4, 0)));
  return bytes;
}

async function* pieces(bytes: Buffer, size = 100_000): AsyncGenerator<Buffer> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

describe('a blob', () => {
  it.each([
    ['buffer', 4],
    ['stream', 500_000],
    ['stream of several parts', 20 * MIB],
  ])('written as a %s of %i bytes reads back', async (form, size) => {
    const { blobs } = await testStorage();
    const bytes = sample(size);
    const put = await blobs.put('b', form === 'buffer' ? bytes : pieces(bytes), {
      contentType: 'text/x',
    });
    expect(put).toMatchObject({ size, sha256: sha256(bytes) });
    expect((await blobs.read('b'))?.equals(bytes)).toBe(true);
    expect(await blobs.head('b')).toMatchObject({
      key: 'b',
      size,
      etag: put.etag,
      contentType: 'text/x',
    });
  });

  it('opens in ranges', async () => {
    const { blobs } = await testStorage();
    const bytes = sample(1000);
    await blobs.put('b', bytes);
    for (const [start, end] of [
      [0, 10],
      [990, undefined],
      [5, 5000],
    ] as const) {
      const reader = await blobs.open('b', { range: { start, end } });
      expect(reader?.size).toBe(1000);
      expect(Buffer.concat(await reader!.body.toArray()).equals(bytes.subarray(start, end))).toBe(
        true,
      );
    }
    await expect(blobs.open('b', { range: { start: 1000 } })).rejects.toMatchObject({
      code: 'bad_option',
    });
  });

  it('that is missing is undefined', async () => {
    const { blobs } = await testStorage();
    expect([await blobs.head('none'), await blobs.open('none'), await blobs.read('none')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await blobs.remove('none');
  });

  it('that is created is never changed', async () => {
    const { blobs } = await testStorage();
    await blobs.create('b', 'first');
    await expect(blobs.create('b', 'second')).rejects.toMatchObject({ code: 'exists', key: 'b' });
    expect(String(await blobs.read('b'))).toBe('first');
  });

  it('keeps its content when a replacement fails half-way, and no upload stays behind', async () => {
    const { blobs, context } = await testStorage();
    await blobs.put('b', 'before');
    async function* failing() {
      yield* pieces(sample(10 * MIB), MIB);
      throw new Error('source broke');
    }
    await expect(blobs.put('b', failing())).rejects.toThrow('source broke');
    const controller = new AbortController();
    async function* aborting() {
      yield* pieces(sample(10 * MIB), MIB);
      controller.abort();
      yield* pieces(sample(10 * MIB), MIB);
    }
    await expect(blobs.put('b', aborting(), { signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(String(await blobs.read('b'))).toBe('before');
    await expect
      .poll(
        async () =>
          (await context.s3.send(new ListMultipartUploadsCommand({ Bucket: context.bucket })))
            .Uploads,
      )
      .toBeUndefined();
  });
});

describe('reading', () => {
  it.each([10, 1_000_000])(
    'of %i bytes that is stopped before it began fails where it is read, and nowhere else',
    async (size) => {
      const { blobs } = await testStorage();
      await blobs.put('key', Buffer.alloc(size));
      const stop = new AbortController();
      const reader = await blobs.open('key', { signal: stop.signal });
      stop.abort();
      // An error that nobody listened to would end the process now.
      await new Promise((resolve) => setTimeout(resolve, 100));
      await expect(reader!.body.toArray()).rejects.toThrow();
    },
  );

  it('that never begins gives its connection back', async () => {
    const { blobs } = await testStorage();
    await blobs.put('key', Buffer.alloc(4_000_000));
    // More than there are connections.
    for (let i = 0; i < 60; i++) (await blobs.open('key'))!.body.destroy();
    expect((await blobs.head('key'))?.size).toBe(4_000_000);
  });

  it('resumes a broken body where it broke', async () => {
    const { blobs, faults } = await testStorage();
    const bytes = sample(2 * MIB);
    await blobs.put('b', bytes);
    faults.script('cutBody', { times: 4 });
    expect((await blobs.read('b'))?.equals(bytes)).toBe(true);
    expect(faults.counts.cutBody).toBe(4);
    faults.script('cutBody', { times: 2 });
    const reader = await blobs.open('b', { range: { start: 1000, end: 1_900_000 } });
    expect(
      Buffer.concat(await reader!.body.toArray()).equals(bytes.subarray(1000, 1_900_000)),
    ).toBe(true);
  });

  it.each([
    [
      'replaced',
      (blobs: { put: (key: string, body: string) => unknown }) => blobs.put('b', 'other'),
    ],
    ['removed', (blobs: { remove: (key: string) => unknown }) => blobs.remove('b')],
  ])('fails when the object is %s before it resumes', async (_, change) => {
    const { blobs, faults } = await testStorage();
    await blobs.put('b', sample(2 * MIB));
    faults.script('cutBody');
    const reader = await blobs.open('b');
    await change(blobs);
    await expect(reader!.body.toArray()).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('a write whose answer was lost', () => {
  it.each([
    ['one part', 'PutObject', 1000],
    ['several parts', 'CompleteMultipartUpload', 9 * MIB],
  ])('is recognised as done (%s)', async (_, operation, size) => {
    const { blobs, faults } = await testStorage();
    const bytes = sample(size);
    faults.script('resetAfterCommit', { operation });
    expect(await blobs.create('b', bytes)).toMatchObject({ size, sha256: sha256(bytes) });
    faults.script('errorAfterCommit', { operation });
    await blobs.put('b', bytes);
    await expect(blobs.create('b', bytes)).rejects.toMatchObject({ code: 'exists' });
    expect(faults.counts).toEqual({ resetAfterCommit: 1, errorAfterCommit: 1 });
  });
});

it('survives 5 % of all calls failing in each way', async () => {
  const { blobs, faults } = await testStorage({ seed: 21 });
  faults.set(ROUGH);
  await Promise.all(
    Array.from({ length: 25 }, async (_, i) => {
      const bytes = sample(i % 5 === 0 ? 9 * MIB : 1000 * i);
      await blobs.create(`b${i}`, pieces(bytes));
      expect((await blobs.read(`b${i}`))?.equals(bytes)).toBe(true);
      await expect(blobs.create(`b${i}`, 'x')).rejects.toMatchObject({ code: 'exists' });
    }),
  );
});

describe('presigned URLs', () => {
  it('download under a name', async () => {
    const { blobs } = await testStorage();
    await blobs.put('b', 'content');
    const response = await fetch(
      await blobs.presignGet('b', { expiresSeconds: 60, filename: 'café 1.csv' }),
    );
    expect(await response.text()).toBe('content');
    expect(response.headers.get('content-disposition')).toBe(
      "attachment; filename*=UTF-8''caf%C3%A9%201.csv",
    );
  });

  it('upload what was agreed, once', async () => {
    const { blobs } = await testStorage();
    const { url, headers } = await blobs.presignPut('b', {
      expiresSeconds: 60,
      size: 7,
      contentType: 'text/csv',
    });
    const put = (body: string, changed: object = {}) =>
      fetch(url, { method: 'PUT', body, headers: { ...headers, ...changed } });
    const longer = 'more than agreed';
    expect((await put(longer, { 'content-length': String(longer.length) })).status).toBe(403);
    expect((await put('content', { 'content-type': 'text/html' })).status).toBe(403);
    expect(
      (
        await fetch(url, {
          method: 'PUT',
          body: 'content',
          headers: { 'content-type': 'text/csv' },
        })
      ).status,
    ).toBe(403);
    expect((await put('content')).status).toBe(200);
    expect((await put('changed')).status).toBe(412);
    expect(String(await blobs.read('b'))).toBe('content');
    await expect(blobs.presignGet('b', { expiresSeconds: 0 })).rejects.toMatchObject({
      code: 'bad_option',
    });
  });
});

describe('listing', () => {
  it('iterates in key order over all pages, from anywhere', async () => {
    const { blobs, list, listFolders } = await testStorage();
    const keys = ['t/a/1', 't/a/2', 't/b/1', 't/c', 'u/x'];
    for (const key of keys.toReversed()) await blobs.put(key, key);
    const names = async (prefix: string, options = {}) =>
      (await all(list(prefix, options))).map(({ key }) => key);
    expect(await names('t/', { pageSize: 1 })).toEqual(keys.slice(0, 4));
    expect(await names('t/', { after: 't/a/2' })).toEqual(['t/b/1', 't/c']);
    expect(await all(list('t/c'))).toMatchObject([
      { key: 't/c', size: 3, modified: expect.any(Date) },
    ]);
    expect(await all(listFolders('t/', { pageSize: 1 }))).toEqual(['a', 'b']);
  });

  it('removes a folder and nothing else, in batches', async () => {
    const { blobs, list } = await testStorage();
    const count = 1003;
    for (let i = 0; i < count; i += 59) {
      await Promise.all(
        Array.from({ length: Math.min(59, count - i) }, (_, j) => blobs.put(`t/a/${i + j}`, 'x')),
      );
    }
    await blobs.put('t/ab', 'kept');
    expect(await blobs.removeAll('t/a/')).toBe(count);
    expect((await all(list(''))).map(({ key }) => key)).toEqual(['t/ab']);
    for (const unsafe of ['', '/', 't/a'])
      await expect(blobs.removeAll(unsafe)).rejects.toMatchObject({ code: 'bad_key' });
  });
});
