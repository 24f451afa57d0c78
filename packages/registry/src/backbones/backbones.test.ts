import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashFiles, openBackbone } from '@polyprompt/backbone';
import { fingerprintOfFiles } from '@polyprompt/backbone/fingerprint';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { backboneKeys } from '@polyprompt/storage';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RegistryError } from '../errors.ts';
import { ROUGH, testRegistry } from '../test-registry.ts';
import { contentKey, manifestKey } from './manifest.ts';
import type { LocalBackbone } from './push.ts';

function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'backbones-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

async function tiny({
  id = 'mini',
  seed = 1,
  shards,
}: {
  id?: string;
  seed?: number;
  shards?: number;
} = {}): Promise<LocalBackbone> {
  const dir = join(temporaryFolder(), id);
  mkdirSync(dir);
  writeTinyBackbone(dir, { family: 'roberta', seed, ...(shards && { shards }) });
  const backbone = openBackbone(dir);
  const files = await hashFiles(dir, backbone.checkpoint.files);
  return { id, fingerprint: await backbone.fingerprint(), files };
}

/** A backbone as far as files go, with one file of more than two slices. */
async function large(): Promise<LocalBackbone> {
  const dir = temporaryFolder();
  const bytes = Buffer.alloc(36 * 1024 ** 2 + 5);
  for (let i = 0; i < bytes.length; i += 4096)
    bytes.writeUInt32LE(i, Math.min(i, bytes.length - 4));
  writeFileSync(join(dir, 'config.json'), '{}');
  writeFileSync(join(dir, 'model.safetensors'), bytes);
  const path = join(dir, 'model.safetensors');
  const files = await hashFiles(dir, [{ name: 'model.safetensors', path }]);
  return { id: 'large', fingerprint: fingerprintOfFiles(files), files };
}

const rejection = (promise: Promise<unknown>): Promise<RegistryError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error,
  );

describe('a backbone in the store', () => {
  it('is pushed, listed, and fetched to a folder that has its name and fingerprint', async () => {
    const { backbones } = await testRegistry();
    const local = await tiny({ shards: 2 });
    expect(await backbones.list()).toEqual([]);
    const { manifest, uploaded } = await backbones.push(local);
    expect(uploaded).toEqual(local.files.map(({ name }) => name));
    expect(await backbones.list()).toEqual([manifest]);
    expect(await backbones.find('mini')).toEqual(manifest);

    const into = join(temporaryFolder(), 'cache');
    const { dir, downloaded } = await backbones.fetch('mini', { into });
    expect(downloaded).toBe(true);
    const opened = openBackbone(dir);
    expect(opened.name).toBe('mini');
    expect(await opened.fingerprint()).toBe(local.fingerprint);
    expect(readdirSync(into)).toHaveLength(1);
  });

  it('is sent and brought once', async () => {
    const { backbones, storage } = await testRegistry();
    const local = await tiny();
    await backbones.push(local);
    // As an interrupted push leaves it: one file is there, one is not, and no manifest.
    await storage.blobs.remove(manifestKey('mini'));
    await storage.blobs.remove(contentKey('mini', local.files[0]!));
    expect(await backbones.find('mini')).toBeUndefined();
    const seen: number[] = [];
    const again = await backbones.push(local, { onProgress: (done) => seen.push(done) });
    expect(again.uploaded).toEqual([local.files[0]!.name]);
    expect(seen.at(-1)).toBe(local.files.reduce((sum, { bytes }) => sum + bytes, 0));
    expect((await backbones.push(local)).uploaded).toEqual([]);

    const into = temporaryFolder();
    const first = await backbones.fetch('mini', { into });
    expect(await backbones.fetch('mini', { into })).toEqual({ ...first, downloaded: false });
    // A file cut short by hand is noticed, and all is brought again.
    writeFileSync(join(first.dir, 'tokenizer.json'), '{');
    expect(await backbones.fetch('mini', { into })).toEqual(first);
    expect(await openBackbone(first.dir).fingerprint()).toBe(local.fingerprint);
  });

  it('arrives whole in slices, though every store call may fail, and two fetch at once', async () => {
    const { backbones, faults } = await testRegistry();
    const local = await large();
    await backbones.push(local);
    faults.set(ROUGH);
    const into = temporaryFolder();
    const progress: number[] = [];
    const onProgress = (done: number) => progress.push(done);
    const [one, two] = await Promise.all([
      backbones.fetch('large', { into, onProgress }),
      backbones.fetch('large', { into }),
    ]);
    expect(one.dir).toBe(two.dir);
    for (const { name, path } of local.files) {
      expect(readFileSync(join(one.dir, name)).equals(readFileSync(path))).toBe(true);
    }
    expect(progress.at(-1)).toBe(local.files.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(readdirSync(into)).toHaveLength(1);
  });

  it('keeps its id unless it is replaced on purpose; a running reader keeps its folder', async () => {
    const { backbones } = await testRegistry();
    const [old, other] = [await tiny(), await tiny({ seed: 2 })];
    await backbones.push(old);
    const into = temporaryFolder();
    const before = await backbones.fetch('mini', { into });
    const refused = await rejection(backbones.push(other));
    expect(refused.code).toBe('backbone_exists');
    expect(refused.message).toContain(old.fingerprint);
    expect(refused.message).toContain(other.fingerprint);
    await backbones.push(other, { replace: true });
    const after = await backbones.fetch('mini', { into });
    expect(after.fingerprint).toBe(other.fingerprint);
    expect(await openBackbone(before.dir).fingerprint()).toBe(old.fingerprint);
  });

  it('that is not there is refused by name, with those there are', async () => {
    const { backbones } = await testRegistry();
    await backbones.push(await tiny());
    const into = temporaryFolder();
    for (const id of ['xlm-r', '../mini', '']) {
      const error = await rejection(backbones.fetch(id, { into }));
      expect(error.code).toBe('backbone_not_found');
      expect(error.message).toContain('it has mini');
    }
  });

  it.each([
    [
      'with another content',
      (bytes: Buffer) => bytes.fill(bytes.at(-1)! ^ 1, bytes.length - 1),
      'has the SHA-256',
    ],
    ['cut short', (bytes: Buffer) => bytes.subarray(0, -1), 'bytes, its manifest says'],
    ['gone', () => undefined, 'is not in the store'],
  ])('with a file %s is refused, and leaves nothing behind', async (_, change, message) => {
    const { backbones, storage } = await testRegistry();
    const local = await tiny();
    await backbones.push(local);
    const weights = local.files.find(({ name }) => name.endsWith('.safetensors'))!;
    const key = contentKey('mini', weights);
    const bytes = change(readFileSync(weights.path));
    await (bytes ? storage.blobs.put(key, bytes) : storage.blobs.remove(key));
    const into = temporaryFolder();
    const error = await rejection(backbones.fetch('mini', { into }));
    expect(error.code).toBe('backbone_damaged');
    expect(error.message).toContain(message);
    expect(readdirSync(into)).toEqual([]);
    // What the error advises.
    expect(error.message).toContain('--replace');
    await backbones.push(local, { replace: true });
    const { fingerprint } = await backbones.fetch('mini', { into });
    expect(fingerprint).toBe(local.fingerprint);
  });

  it('whose manifest does not add up is refused', async () => {
    const { backbones, storage } = await testRegistry();
    const local = await tiny();
    await backbones.push(local);
    const { BackboneManifest } = await import('./manifest.ts');
    const documents = storage.documents(BackboneManifest);
    await documents.update(manifestKey('mini'), (manifest) => ({
      ...manifest,
      files: manifest.files.slice(1),
    }));
    const error = await rejection(backbones.find('mini'));
    expect(error.code).toBe('backbone_damaged');
    expect(error.message).toContain('--replace');
    await backbones.push(local, { replace: true });
    expect((await backbones.find('mini'))?.files).toHaveLength(local.files.length);
    expect(manifestKey('mini')).toBe(`${backboneKeys('mini').folder}manifest.json`);
  });

  it('does not take a file that changes while it is sent', async () => {
    const { backbones } = await testRegistry();
    const local = await tiny();
    writeFileSync(local.files[1]!.path, '{"other": 1}');
    const error = await rejection(backbones.push(local));
    expect(error.message).toContain('changed while it was uploaded');
    expect(await backbones.find('mini')).toBeUndefined();
  });

  it('stops when asked', async () => {
    const { backbones } = await testRegistry();
    const local = await large();
    await backbones.push(local);
    const stop = new AbortController();
    const into = temporaryFolder();
    const error = await rejection(
      backbones.fetch('large', { into, signal: stop.signal, onProgress: () => stop.abort() }),
    );
    expect(error.name).toBe('AbortError');
    expect(readdirSync(into)).toEqual([]);
  });
});
