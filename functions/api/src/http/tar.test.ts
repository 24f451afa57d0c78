import { type Header, pack as tarPack } from 'tar-stream';
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

  it('hold neither paths that lead out, nor one path twice; links are passed over', async () => {
    const entries = async (...headers: Partial<Header>[]) => {
      const tar = tarPack();
      for (const header of headers) tar.entry(header as Header, header.type ? '' : 'x');
      tar.finalize();
      return new Response(ReadableStream.from(tar) as ReadableStream).bytes();
    };
    for (const name of ['/etc/x', '../x', 'a/../../x', 'a/..', 'C:/x', '..\\x']) {
      await expect(unpackTar(await entries({ name }))).rejects.toThrow(/leads out of it/);
    }
    const twice = await entries({ name: 'a/card.json' }, { name: 'a/card.json' });
    await expect(unpackTar(twice)).rejects.toThrow(/twice/);
    const link = { name: 'a/x', type: 'symlink', linkname: '/etc/passwd' } as const;
    expect(Object.keys(await unpackTar(await entries(link, { name: 'a..b/c' })))).toEqual([
      'a..b/c',
    ]);
    const folders = Array.from(
      { length: 20 },
      (_, i) => ({ name: `d${i}`, type: 'directory' }) as const,
    );
    await expect(unpackTar(await entries(...folders))).rejects.toThrow(/more than 16 entries/);
  });
});
