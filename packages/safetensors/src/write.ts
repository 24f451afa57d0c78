// Durable, atomic files: after a crash at any moment the path holds the old bytes or the new, never
// a mixture, and once the call has returned, the new ones.

import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { encodeSafetensors, type TensorData } from './encode.ts';

/** Encodes and writes a safetensors file with `writeFileDurably`; returns the bytes written. */
export function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [string, TensorData]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const bytes = encodeSafetensors(tensors, metadata);
  writeFileDurably(path, bytes);
  return bytes;
}

/**
 * Replaces a file atomically: temporary file beside it, fsync, rename, fsync of the directory.
 * The directory must exist.
 */
export function writeFileDurably(path: string, bytes: Uint8Array): void {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const fd = openSync(temporary, 'wx');
    try {
      let done = 0;
      while (done < bytes.byteLength) {
        done += writeSync(fd, bytes, done, Math.min(bytes.byteLength - done, 1 << 30));
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(directory);
}

function syncDirectory(directory: string): void {
  // Windows cannot open directories; its file system journals the rename itself.
  if (process.platform === 'win32') return;
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
