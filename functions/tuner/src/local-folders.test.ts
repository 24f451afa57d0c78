import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegistryError } from '@polyprompt/registry';
import { describe, expect, it, onTestFinished } from 'vitest';
import { localBackbones, orStored } from './backbones.ts';
import { makeWorkDir, sweepWorkDirs } from './work-dir.ts';

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'polyprompt-folders-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function model(parent: string, id: string): string {
  const folder = join(parent, id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), '{}');
  return folder;
}

describe('localBackbones', () => {
  it('finds a backbone by the name of its folder', async () => {
    const root = temporary();
    const models = join(root, 'models');
    const shipped = model(models, 'small');
    const own = model(join(root, 'elsewhere'), 'own');
    const resolve = localBackbones({ folder: own, models });
    expect(await resolve('small')).toBe(shipped);
    expect(await resolve('own')).toBe(own);
  });

  it('refuses others with the names of those that there are, and reaches nowhere else', async () => {
    const root = temporary();
    const models = join(root, 'models');
    model(models, 'small');
    model(root, 'secret');
    const resolve = localBackbones({ models });
    await expect(resolve('large')).rejects.toThrow(
      'backbone "large" is not on this machine; it has small',
    );
    for (const id of ['../secret', '..', '', 'small/../../secret', '.']) {
      await expect(resolve(id)).rejects.toMatchObject({ code: 'unknown_backbone' });
    }
  });
});

describe('orStored', () => {
  it('asks the store only for what is not here', async () => {
    const root = temporary();
    const models = join(root, 'models');
    model(models, 'small');
    const asked: unknown[] = [];
    const resolve = orStored(localBackbones({ models }), {
      into: join(root, 'fetched'),
      stored: {
        async fetch(id, { into }) {
          asked.push([id, into]);
          if (id === 'large') return { dir: 'there', fingerprint: '', downloaded: true };
          throw new RegistryError(
            id === 'huge' ? 'no_space' : 'backbone_not_found',
            'it has large',
          );
        },
      },
    });
    expect(await resolve('small')).toBe(join(models, 'small'));
    expect(asked).toEqual([]);
    expect(await resolve('large')).toBe('there');
    expect(asked).toEqual([['large', join(root, 'fetched')]]);
    await expect(resolve('other')).rejects.toMatchObject({
      code: 'unknown_backbone',
      message: expect.stringContaining('it has large'),
    });
    // Another machine may have room: no failure of the job.
    await expect(resolve('huge')).rejects.toMatchObject({ code: 'no_space' });
  });
});

describe('work folders', () => {
  it('are private, and removed with what is in them', async () => {
    const root = temporary();
    const one = await makeWorkDir(root);
    expect(statSync(one.path).mode & 0o077).toBe(0);
    writeFileSync(join(one.path, 'data'), 'x');
    await one.remove();
    expect(readdirSync(root)).toEqual([]);
  });

  it('of dead processes are swept, those of living ones and other things are not', async () => {
    const root = temporary();
    const living = await makeWorkDir(root);
    // Beyond the largest process id of any Linux.
    mkdirSync(join(root, '99999999-abc'));
    // Processes in a container that was restarted have the ids of those before.
    mkdirSync(join(root, `${process.pid}-abc`));
    mkdirSync(join(root, 'notes'));
    await sweepWorkDirs(root);
    expect(readdirSync(root).sort()).toEqual([living.path.slice(root.length + 1), 'notes'].sort());
  });
});
