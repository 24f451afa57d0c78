import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BlobStore, INLINE_BYTES } from './blobs.ts';
import { testDir } from './test-clients.ts';

async function* bytes(...sizes: number[]): AsyncGenerator<Uint8Array> {
  for (const [index, size] of sizes.entries()) yield Buffer.alloc(size, index + 1);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

describe('BlobStore', () => {
  it('keeps small bodies inline and larger ones in a file', async () => {
    const dir = testDir();
    const store = new BlobStore(dir);
    expect(await store.store(bytes(INLINE_BYTES))).toMatchObject({
      size: INLINE_BYTES,
      file: null,
    });
    expect(readdirSync(dir)).toEqual([]);
    const large = await store.store(bytes(INLINE_BYTES, 1));
    expect(large).toMatchObject({ size: INLINE_BYTES + 1, data: null });
    expect(readdirSync(dir)).toEqual([large.file]);
  });

  it('reads any range across chunks', async () => {
    const store = new BlobStore(testDir());
    const chunks = [
      await store.store(bytes(10)),
      await store.store(bytes(INLINE_BYTES, 5)),
      await store.store(bytes(7)),
    ];
    const whole = await collect(store.read(chunks, 0, INLINE_BYTES + 22).bytes);
    expect(whole.length).toBe(INLINE_BYTES + 22);
    for (const [start, end] of [
      [0, 1],
      [9, 11],
      [5, INLINE_BYTES + 20],
      [INLINE_BYTES + 14, INLINE_BYTES + 22],
    ] as const) {
      expect(
        (await collect(store.read(chunks, start, end).bytes)).equals(whole.subarray(start, end)),
      ).toBe(true);
    }
  });

  it('leaves nothing behind when the source fails', async () => {
    const dir = testDir();
    async function* failing() {
      yield* bytes(INLINE_BYTES, INLINE_BYTES);
      throw new Error('cut');
    }
    await expect(new BlobStore(dir).store(failing())).rejects.toThrow('cut');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('keeps a removed file until its last reader has finished', async () => {
    const dir = testDir();
    const store = new BlobStore(dir);
    const chunk = await store.store(bytes(INLINE_BYTES, 1));
    const readers = [store.read([chunk], 0, chunk.size), store.read([chunk], 0, chunk.size)];
    store.remove([chunk.file!]);
    readers[0]!.release();
    expect((await collect(readers[1]!.bytes)).length).toBe(chunk.size);
    readers[1]!.release();
    expect(existsSync(join(dir, chunk.file!))).toBe(false);
  });

  it('sweeps files that no row names', async () => {
    const dir = testDir();
    const store = new BlobStore(dir);
    const kept = await store.store(bytes(INLINE_BYTES, 1));
    writeFileSync(join(dir, 'orphan'), 'half a body');
    expect(store.sweep(new Set([kept.file!]))).toBe(1);
    expect(readdirSync(dir)).toEqual([kept.file]);
  });
});
