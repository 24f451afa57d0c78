import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  defaultCacheDir,
  fingerprintOf,
  fingerprintOfFiles,
  hashFiles,
  rememberHashes,
} from './fingerprint.ts';
import { openBackbone } from './open.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { writeTinyBackbone } from './testing/tiny-backbone.ts';

const LATER = () => Date.now() + 60_000;

/** A folder whose only weight file is 2 MB of zeros: large enough to be remembered. */
function largeFolder() {
  const dir = temporaryFolder();
  const path = join(dir, 'model.safetensors');
  for (const name of ['config.json', 'tokenizer.json']) writeFileSync(join(dir, name), '{}');
  writeFileSync(path, '');
  truncateSync(path, 2_000_000);
  const cacheDir = join(dir, 'cache');
  const fingerprint = (now = LATER) =>
    fingerprintOf(dir, [{ name: 'model.safetensors', path }], { cacheDir, now });
  return { dir, path, cacheFile: join(cacheDir, 'fingerprints.json'), fingerprint };
}

describe('fingerprint', () => {
  it('is the hash of a manifest that sha256sum can check', async () => {
    const dir = temporaryFolder();
    writeTinyBackbone(dir, { family: 'roberta', shards: 2 });
    const names = [
      'config.json',
      'tokenizer.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
    ];
    const lines = names.map((name) => {
      const bytes = readFileSync(join(dir, name));
      return `${createHash('sha256').update(bytes).digest('hex')} ${bytes.byteLength} ${name}\n`;
    });
    const expected = createHash('sha256').update(lines.join('')).digest('hex');
    expect(await openBackbone(dir).fingerprint()).toBe(`sha256:${expected}`);
  });

  it('is the same for a copy and another for any changed file', async () => {
    const dir = temporaryFolder();
    writeTinyBackbone(dir, { family: 'bert' });
    const copy = join(dir, 'copy');
    mkdirSync(copy);
    const names = ['config.json', 'tokenizer.json', 'model.safetensors'];
    for (const name of names) copyFileSync(join(dir, name), join(copy, name));
    const original = await openBackbone(dir).fingerprint();
    expect(await openBackbone(copy).fingerprint()).toBe(original);
    const seen = new Set([original]);
    for (const name of names) {
      const bytes = readFileSync(join(copy, name));
      const changed = Buffer.from(bytes);
      changed[changed.length - 1]! ^= name.endsWith('.json') ? 0 : 1;
      writeFileSync(
        join(copy, name),
        name.endsWith('.json') ? Buffer.concat([bytes, Buffer.from('\n')]) : changed,
      );
      seen.add(await openBackbone(copy).fingerprint());
      writeFileSync(join(copy, name), bytes);
    }
    rmSync(join(copy, 'tokenizer.json'));
    seen.add(await openBackbone(copy).fingerprint());
    expect(seen.size).toBe(5);
  });

  it('can be computed from a list of files, whatever its order and what else is in it', async () => {
    const dir = temporaryFolder();
    writeTinyBackbone(dir, { family: 'roberta', shards: 2 });
    const { checkpoint, fingerprint } = openBackbone(dir);
    const files = await hashFiles(dir, checkpoint.files);
    expect(files.map(({ name }) => name)).toEqual([
      'config.json',
      'tokenizer.json',
      ...checkpoint.files.map(({ name }) => name),
      'model.safetensors.index.json',
    ]);
    const other = { name: 'README.md', bytes: 1, sha256: '0'.repeat(64) };
    expect(fingerprintOfFiles([other, ...files.toReversed()])).toBe(await fingerprint());
    expect(fingerprintOfFiles(files.slice(1))).not.toBe(await fingerprint());
    rmSync(join(dir, 'tokenizer.json'));
    const bare = files.filter(({ name }) => name !== 'tokenizer.json');
    expect(await openBackbone(dir).fingerprint()).toBe(fingerprintOfFiles(bare));
  });

  it('can be tried again after a failure', async () => {
    const dir = temporaryFolder();
    writeTinyBackbone(dir, { family: 'bert' });
    const backbone = openBackbone(dir);
    renameSync(join(dir, 'tokenizer.json'), join(dir, 'aside'));
    mkdirSync(join(dir, 'tokenizer.json'));
    await expect(backbone.fingerprint()).rejects.toThrow('EISDIR');
    rmSync(join(dir, 'tokenizer.json'), { recursive: true });
    renameSync(join(dir, 'aside'), join(dir, 'tokenizer.json'));
    expect(await backbone.fingerprint()).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});

describe('remembered hashes', () => {
  it('spares reading a large file that has not changed', async () => {
    const { path, cacheFile, fingerprint } = largeFolder();
    const first = await fingerprint();
    const cache = JSON.parse(readFileSync(cacheFile, 'utf8'));
    expect(Object.keys(cache)).toEqual([path]);
    // Another hash in the cache shows that it, and not the file, is what was read.
    cache[path].sha256 = '0'.repeat(64);
    writeFileSync(cacheFile, JSON.stringify(cache));
    expect(await fingerprint()).not.toBe(first);
  });

  it('can be told by who wrote the file', async () => {
    const { dir, path, fingerprint } = largeFolder();
    await rememberHashes([{ path, sha256: '0'.repeat(64) }], { cacheDir: join(dir, 'cache') });
    const told = await fingerprint();
    writeFileSync(path, Buffer.alloc(2_000_000));
    expect(await fingerprint()).not.toBe(told);
  });

  it('does not outlive a change, even one that restores the modification time', async () => {
    const { path, fingerprint } = largeFolder();
    const first = await fingerprint();
    const { atime, mtime } = statSync(path);
    writeFileSync(path, Buffer.alloc(2_000_000, 1));
    utimesSync(path, atime, mtime);
    expect(await fingerprint()).not.toBe(first);
  });

  it('leaves out files that have just been written', async () => {
    const { cacheFile, fingerprint } = largeFolder();
    await fingerprint(Date.now);
    expect(existsSync(cacheFile)).toBe(false);
  });

  it('does without a cache that is damaged or cannot be written', async () => {
    const { dir, path, cacheFile, fingerprint } = largeFolder();
    const first = await fingerprint();
    writeFileSync(cacheFile, '{"x": 1}');
    expect(await fingerprint()).toBe(first);
    expect(Object.keys(JSON.parse(readFileSync(cacheFile, 'utf8')))).toEqual([path]);
    const weights = [{ name: 'model.safetensors', path }];
    const blocked = { cacheDir: join(dir, 'config.json', 'no'), now: LATER };
    expect(await fingerprintOf(dir, weights, blocked)).toBe(first);
    expect(readdirSync(join(dir, 'cache'))).toEqual(['fingerprints.json']);
  });

  it('are kept where the environment says', () => {
    expect(defaultCacheDir({ POLYPROMPT_HOME: '/data/pp' })).toBe('/data/pp');
    expect(defaultCacheDir({})).toMatch(/[/\\]\.cache[/\\]polyprompt$/);
  });
});
