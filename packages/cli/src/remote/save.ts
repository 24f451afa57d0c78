/** Downloads to standard output or to a file, which is there whole or not at all. */
import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { CliError } from '../errors.ts';

/**
 * @param path `-` or undefined: standard output
 * @throws CliError `file_exists` unless `force`
 */
export async function saveTo(
  path: string | undefined,
  body: globalThis.ReadableStream<Uint8Array>,
  { force = false } = {},
): Promise<void> {
  const bytes = Readable.fromWeb(body as ReadableStream);
  if (path === undefined || path === '-') {
    await pipeline(bytes, process.stdout, { end: false });
    return;
  }
  if (existsSync(path) && !force) {
    bytes.destroy();
    throw new CliError('file_exists', `${path} exists already; choose another --out`);
  }
  const partial = `${path}.part`;
  try {
    await pipeline(bytes, createWriteStream(partial));
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}
