/**
 * One file from the hub, byte for byte what its commit says. What arrived before a connection broke, or before a
 * Ctrl-C, stays in `<file>.part` and is gone on with.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from '../errors.ts';
import type { Hub, HubFile } from './hub.ts';

export interface DownloadOptions {
  readonly repo: string;
  readonly commit: string;
  readonly signal?: AbortSignal;
  /** Bytes of this file that are there; fewer than before when a bad part is dropped. */
  readonly onProgress?: (bytes: number) => void;
  /** @default 500 */
  readonly retryMs?: number;
}

/** Connections that may break one after another without a single byte. */
const BROKEN_IN_A_ROW = 5;

/** @throws CliError `bad_checksum`, `hub_refused`, `hub_unreachable` */
export async function download(
  hub: Hub,
  file: HubFile,
  path: string,
  options: DownloadOptions,
): Promise<void> {
  const partial = `${path}.part`;
  const { onProgress } = options;
  if ((await sizeOf(path)) === file.bytes) {
    if ((await hashOf(path, file)).digest('hex') === file.checksum.hex) {
      onProgress?.(file.bytes);
      return;
    }
    await rm(path);
  }
  // A part may be of another commit, or damaged; then it is worth one more try from the start.
  const resumed = ((await sizeOf(partial)) ?? 0) > 0;
  for (const again of resumed ? [true, false] : [false]) {
    const actual = await transfer(hub, file, partial, options);
    if (actual === file.checksum.hex) {
      await rename(partial, path);
      return;
    }
    await rm(partial, { force: true });
    onProgress?.(0);
    if (again) continue;
    throw new CliError(
      'bad_checksum',
      `${file.path} of ${options.repo} arrived with the ${file.checksum.algorithm} ${actual}, the hub says ${file.checksum.hex}; something on the way changes files, try another network or HF_ENDPOINT`,
    );
  }
}

/** Brings the part to its full length. @returns its checksum */
async function transfer(
  hub: Hub,
  file: HubFile,
  partial: string,
  { repo, commit, signal, onProgress, retryMs = 500 }: DownloadOptions,
): Promise<string> {
  if (((await sizeOf(partial)) ?? 0) > file.bytes) await rm(partial);
  let hash = await hashOf(partial, file);
  let done = (await sizeOf(partial)) ?? 0;
  onProgress?.(done);
  const handle = await open(partial, 'a');
  try {
    for (let broken = 0; done < file.bytes; ) {
      const before = done;
      try {
        const { start, body } = await hub.open(repo, commit, file, done);
        if (start !== done) {
          hash = hasher(file);
          done = 0;
        }
        // Also what a failed write has left.
        await handle.truncate(done);
        for await (const piece of body) {
          if (done + piece.length > file.bytes) throw tooLong(file);
          // `write` may stop short of the end of what it is given.
          await handle.appendFile(piece);
          hash.update(piece);
          done += piece.length;
          onProgress?.(done);
        }
        if (done < file.bytes) throw new Error('the connection ended early');
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof CliError) throw error;
        broken = done > before ? 1 : broken + 1;
        if (broken >= BROKEN_IN_A_ROW) {
          throw new CliError(
            'hub_unreachable',
            `${file.path} keeps breaking off at ${done} of ${file.bytes} bytes (${(error as Error).message}); the same command goes on there`,
          );
        }
        await sleep(retryMs * 2 ** (broken - 1), undefined, signal ? { signal } : {});
      }
    }
    await handle.datasync();
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

function hasher({ checksum, bytes }: HubFile): Hash {
  if (checksum.algorithm === 'sha256') return createHash('sha256');
  return createHash('sha1').update(`blob ${bytes}\0`);
}

async function hashOf(path: string, file: HubFile): Promise<Hash> {
  const hash = hasher(file);
  if ((await sizeOf(path)) === undefined) return hash;
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece);
  return hash;
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}

function tooLong({ path, bytes }: HubFile): CliError {
  return new CliError(
    'bad_checksum',
    `${path} arrived with more than the ${bytes} bytes that the hub lists; try another network or HF_ENDPOINT`,
  );
}
