import { describe, expect, it } from 'vitest';
import { packTar, unpackTar } from './tar.ts';

const pack = (files: Record<string, Uint8Array>) =>
  new Response(packTar(files, new Date(0))).bytes();

describe('archives', () => {
  it('hold files of any size, byte by byte', async () => {
    const files = {
      'a/card.json': Buffer.from('{}'),
      'a/prompt': Buffer.alloc(100_000, 7),
      empty: Buffer.alloc(0),
    };
    const read = await unpackTar(await pack(files));
    expect(Object.keys(read)).toEqual(Object.keys(files));
    for (const [name, bytes] of Object.entries(files)) expect(bytes.equals(read[name]!)).toBe(true);
  });

  it('with many files, or of another form, are refused', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`f${i}`, Buffer.from('x')]),
    );
    for (const bytes of [await pack(many), Buffer.alloc(2000, 'x')]) {
      await expect(unpackTar(bytes)).rejects.toMatchObject({
        code: 'archive.invalid',
        status: 422,
      });
    }
  });
});
