import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashFiles, openBackbone } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { startLocalCloud } from '@polyprompt/local-cloud';
import { Backbones } from '@polyprompt/registry';
import { createStorage } from '@polyprompt/storage';
import { expect, it, onTestFinished } from 'vitest';
import { describeBackbone, findBackbone } from './backbone.ts';

function model(dir: string, seed: number): string {
  mkdirSync(dir, { recursive: true });
  writeTinyBackbone(dir, { family: 'roberta', seed });
  return dir;
}

it('finds a folder, one that was pulled, and one of the object store, in this order', async () => {
  const root = mkdtempSync(join(tmpdir(), 'polyprompt-find-'));
  const cloud = await startLocalCloud({ dir: ':memory:' });
  const { endpoint, credentials } = cloud;
  const storage = createStorage({ endpoint, credentials, bucket: 'state' });
  onTestFinished(async () => {
    storage.close();
    await cloud.close();
    rmSync(root, { recursive: true });
  });
  await storage.ensureBucket();
  const stored = new Backbones({ storage });
  const folder = join(root, 'backbones');
  const find = (setting: string) => findBackbone(setting, { folder, stored });

  const own = model(join(root, 'own', 'one'), 1);
  expect((await find(own)).dir).toBe(own);
  await expect(find('one')).rejects.toThrow(/POLYPROMPT_BACKBONE is "one".*the object store/);

  const backbone = openBackbone(own);
  const fingerprint = await backbone.fingerprint();
  const files = await hashFiles(own, backbone.checkpoint.files);
  await stored.push({ id: 'one', fingerprint, files });
  const fetched = await find('one');
  expect(fetched.dir.startsWith(folder)).toBe(true);
  expect(await describeBackbone(fetched)).toMatchObject({ id: 'one', fingerprint });

  const pulled = model(join(folder, 'one'), 2);
  expect((await find('one')).dir).toBe(pulled);
});
