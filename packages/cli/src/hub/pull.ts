/**
 * A model of the hub to a folder. It grows in `<folder>.part`, where an interrupted pull is taken up, and appears
 * under its name when every byte is checked and it opens as a backbone.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Backbone, openBackbone, parseConfig, rememberHashes } from '@polyprompt/backbone';
import { CliError } from '../errors.ts';
import { bytes as sizeText } from '../format.ts';
import { chooseFiles } from './choose-files.ts';
import { download } from './download.ts';
import { Hub, type HubFile, type HubOptions } from './hub.ts';
import type { HubId } from './hub-id.ts';

/** Where a folder came from; beside the model, and no part of its fingerprint. */
export const SOURCE_FILE = 'hub.json';

export interface PullOptions extends HubOptions {
  readonly out: string;
  readonly onStart?: (commit: string, files: readonly HubFile[]) => void;
  /** Bytes that are there so far, of all. */
  readonly onProgress?: (done: number, total: number, path: string) => void;
  readonly cacheDir?: string;
}

/** @throws CliError; BackboneError when the model cannot be used */
export async function pull(id: HubId, options: PullOptions): Promise<Backbone> {
  const out = resolve(options.out);
  if (existsSync(out)) {
    throw new CliError('file_exists', `${out} exists already; choose another --out, or delete it`);
  }
  const hub = new Hub(options);
  const commit = await hub.commit(id);
  const files = chooseFiles(id.repo, await hub.files(id.repo, commit));
  options.onStart?.(commit, files);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const staging = `${out}.part`;
  await mkdir(staging, { recursive: true });
  await removeOthers(staging, files);
  await assertSpace(staging, files);

  let done = 0;
  for (const file of files) {
    const path = join(staging, file.path);
    await download(hub, file, path, {
      repo: id.repo,
      commit,
      ...(options.signal && { signal: options.signal }),
      ...(options.retryMs !== undefined && { retryMs: options.retryMs }),
      onProgress: (bytes) => options.onProgress?.(done + bytes, total, file.path),
    });
    done += file.bytes;
    // Before the gigabytes follow.
    if (file.path === 'config.json') parseConfig(path, readFileSync(path, 'utf8'));
  }
  openBackbone(staging).tokenizer();
  const source = { repo: id.repo, revision: id.revision ?? 'main', commit, endpoint: hub.endpoint };
  writeFileSync(join(staging, SOURCE_FILE), `${JSON.stringify(source, null, 2)}\n`);
  await mkdir(dirname(out), { recursive: true });
  renameSync(staging, out);
  const backbone = openBackbone(out, cacheOf(options));
  const known = files.flatMap(({ path, checksum }) =>
    checksum.algorithm === 'sha256'
      ? [{ path: join(backbone.dir, path), sha256: checksum.hex }]
      : [],
  );
  await rememberHashes(known, cacheOf(options));
  return backbone;
}

function cacheOf({ cacheDir }: PullOptions): { readonly cacheDir?: string } {
  return cacheDir === undefined ? {} : { cacheDir };
}

/** What a pull of another model or revision left in the same place. */
async function removeOthers(staging: string, files: readonly HubFile[]): Promise<void> {
  const wanted = new Set(files.flatMap(({ path }) => [path, `${path}.part`]));
  for (const name of await readdir(staging)) {
    if (!wanted.has(name)) await rm(join(staging, name), { recursive: true });
  }
}

async function assertSpace(staging: string, files: readonly HubFile[]): Promise<void> {
  const missing = files
    .filter(({ path }) => !existsSync(join(staging, path)))
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const { bavail, bsize } = await statfs(staging);
  const free = bavail * bsize;
  if (free >= missing) return;
  throw new CliError(
    'no_space',
    `the model needs ${sizeText(missing)} and the disk of ${staging} has ${sizeText(free)} left; free some, or choose a folder on another disk with --out`,
  );
}
