/**
 * From the bucket to a folder of this machine, once: `<into>/<fingerprint>/<id>/`. The folder appears whole, by
 * a rename, after every byte of it has been checked; a replaced backbone gets another one, so that who runs
 * the old one is not disturbed. Any number of processes may fetch at once; one of them wins.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, realpath, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { rememberHashes } from '@polyprompt/backbone/fingerprint';
import type { Blobs, Storage } from '@polyprompt/storage';
import { RegistryError } from '../errors.ts';
import { type BackboneFile, type BackboneManifest, contentKey, totalBytes } from './manifest.ts';
import type { TransferOptions } from './push.ts';

export interface FetchOptions extends TransferOptions {
  /** Folder of fetched backbones; made where it is missing. */
  readonly into: string;
  /** Where hashes of large files are remembered. @default that of the backbone package */
  readonly cacheDir?: string;
}

export interface FetchedBackbone {
  /** The model folder; its name is the id. */
  readonly dir: string;
  readonly fingerprint: string;
  /** False when it was there. */
  readonly downloaded: boolean;
}

/** Digits of the fingerprint that name a folder. */
const FOLDER_DIGITS = 16;
/** One connection to S3 gives some 50 to 100 MB/s, the machine has more. */
const SLICE_BYTES = 16 * 1024 ** 2;
const SLICES_IN_FLIGHT = 6;
const PARTIAL = '.part';
/** What a killed process left is not touched before, since a living one may still write to it. */
const ABANDONED_AFTER_MS = 24 * 3600 * 1000;

/** @throws RegistryError `backbone_damaged`, `no_space`; StorageError */
export async function fetchBackbone(
  storage: Pick<Storage, 'blobs'>,
  manifest: BackboneManifest,
  { into, signal, onProgress, cacheDir }: FetchOptions,
): Promise<FetchedBackbone> {
  const { id, fingerprint, files } = manifest;
  const name = fingerprint.slice('sha256:'.length).slice(0, FOLDER_DIGITS);
  const dir = join(into, name, id);
  if (await isComplete(dir, files)) return { dir, fingerprint, downloaded: false };

  await mkdir(into, { recursive: true });
  await removeAbandoned(into);
  await assertSpace(into, id, totalBytes(files));
  const partial = join(into, `.${name}.${randomUUID()}${PARTIAL}`);
  const folder = join(partial, id);
  try {
    await mkdir(folder, { recursive: true });
    const total = totalBytes(files);
    let done = 0;
    const advance = (bytes: number) => {
      done += bytes;
      onProgress?.(done, total);
    };
    for (const file of files) {
      await download(storage.blobs, id, file, join(folder, file.name), advance, signal);
    }
    await moveTo(join(into, name), partial, dir, files);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
  const real = await realpath(dir);
  const written = files.map(({ name, sha256 }) => ({ path: join(real, name), sha256 }));
  await rememberHashes(written, cacheDir === undefined ? {} : { cacheDir });
  return { dir, fingerprint, downloaded: true };
}

async function isComplete(dir: string, files: readonly BackboneFile[]): Promise<boolean> {
  for (const { name, bytes } of files) {
    const found = await stat(join(dir, name)).catch(() => undefined);
    if (found?.size !== bytes) return false;
  }
  return true;
}

async function moveTo(
  target: string,
  partial: string,
  dir: string,
  files: readonly BackboneFile[],
): Promise<void> {
  try {
    await rename(partial, target);
  } catch (error) {
    // Another process was faster. What somebody damaged by hand is replaced.
    if (!(await isComplete(dir, files))) {
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error;
      await rm(target, { recursive: true, force: true });
      await rename(partial, target);
    }
    await rm(partial, { recursive: true, force: true });
  }
}

async function download(
  blobs: Blobs,
  id: string,
  file: BackboneFile,
  path: string,
  advance: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const key = contentKey(id, file);
  const starts = Array.from(
    { length: Math.ceil(file.bytes / SLICE_BYTES) },
    (_, i) => i * SLICE_BYTES,
  );
  const handle = await open(path, 'wx');
  // One failed slice ends the others.
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const work = async () => {
    for (let start = starts.shift(); start !== undefined; start = starts.shift()) {
      const range = { start, end: Math.min(start + SLICE_BYTES, file.bytes) };
      const reader = await blobs.open(key, { range, signal: stop });
      if (reader === undefined) throw damaged(id, file, 'is not in the store');
      let at = start;
      for await (const piece of reader.body) {
        const bytes = piece as Buffer;
        await handle.write(bytes, 0, bytes.length, at);
        at += bytes.length;
        advance(bytes.length);
      }
    }
  };
  try {
    const workers = Array.from({ length: SLICES_IN_FLIGHT }, () =>
      work().catch((error) => {
        failed.abort(error);
        throw error;
      }),
    );
    const results = await Promise.allSettled(workers);
    signal?.throwIfAborted();
    if (failed.signal.aborted) throw failed.signal.reason;
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    await handle.datasync();
  } finally {
    await handle.close();
  }
  const { size } = await stat(path);
  if (size !== file.bytes)
    throw damaged(id, file, `has ${size} bytes, its manifest says ${file.bytes}`);
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece);
  const actual = hash.digest('hex');
  if (actual !== file.sha256) throw damaged(id, file, `has the SHA-256 ${actual}`);
}

async function assertSpace(into: string, id: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(into);
  if (bavail * bsize >= bytes) return;
  const gigabytes = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
  throw new RegistryError(
    'no_space',
    `backbone "${id}" needs ${gigabytes(bytes)} and ${into} has ${gigabytes(bavail * bsize)} left; free some, or choose a folder on another disk`,
  );
}

async function removeAbandoned(into: string): Promise<void> {
  for (const name of await readdir(into)) {
    if (!name.startsWith('.') || !name.endsWith(PARTIAL)) continue;
    const path = join(into, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS)
      await rm(path, { recursive: true, force: true });
  }
}

function damaged(id: string, { name, sha256 }: BackboneFile, what: string): RegistryError {
  return new RegistryError(
    'backbone_damaged',
    `${name} (SHA-256 ${sha256}) of backbone "${id}" ${what}; push the backbone again with --replace`,
  );
}
