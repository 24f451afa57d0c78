/**
 * Where object bytes lie. Up to 128 KiB they go into the database row; larger ones into a file named by a
 * uuid (never by the key: keys are longer and wilder than file names may be).
 *
 * Order that makes kill -9 and power loss harmless: write the file, fsync the file, fsync the folder, then
 * commit the row; on replacement commit first, then unlink. What a crash leaves is an orphan file, and
 * `sweep` removes those at start.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Bodies up to this many bytes are stored inside the database. */
export const INLINE_BYTES = 128 * 1024;

/** One stored piece of a body: exactly one of `data` and `file` is set. */
export interface Chunk {
  readonly size: number;
  readonly data: Uint8Array | null;
  readonly file: string | null;
}

/** Bytes on their way to a client. `release` must be called once, read or not. */
export interface BlobReader {
  readonly bytes: AsyncIterable<Uint8Array>;
  release(): void;
}

export class BlobStore {
  readonly #dir: string | null;
  readonly #readers = new Map<string, number>();
  readonly #doomed = new Set<string>();

  /** @param dir folder for large bodies; null keeps everything inline (a store in memory). */
  constructor(dir: string | null) {
    this.#dir = dir;
    if (dir !== null && mkdirSync(dir, { recursive: true, mode: 0o700 }) !== undefined)
      syncDir(dirname(dir));
  }

  /** Persists the bytes of `source`; leaves nothing behind if it throws. The chunk is durable but unreferenced. */
  async store(source: AsyncIterable<Uint8Array>): Promise<Chunk> {
    const head: Uint8Array[] = [];
    let size = 0;
    let file: string | null = null;
    let handle: FileHandle | undefined;
    try {
      for await (const bytes of source) {
        size += bytes.length;
        if (handle) await writeAll(handle, bytes);
        else head.push(bytes);
        if (!handle && this.#dir !== null && size > INLINE_BYTES) {
          file = randomUUID();
          handle = await open(join(this.#dir, file), 'wx', 0o600);
          for (const early of head.splice(0)) await writeAll(handle, early);
        }
      }
      if (!handle || file === null) return { size, data: Buffer.concat(head), file: null };
      await handle.sync();
      await handle.close();
      handle = undefined;
      syncDir(this.#dir as string);
      return { size, data: null, file };
    } catch (error) {
      await handle?.close();
      if (file !== null) this.remove([file]);
      throw error;
    }
  }

  /** Reads bytes `start` (inclusive) to `end` (exclusive) of a body. Its files stay until released. */
  read(chunks: readonly Chunk[], start: number, end: number): BlobReader {
    const files = chunks.flatMap(({ file }) => (file === null ? [] : [file]));
    for (const file of files) this.#readers.set(file, (this.#readers.get(file) ?? 0) + 1);
    return { bytes: this.#bytes(chunks, start, end), release: () => this.#release(files) };
  }

  /** Unlinks files that no row names any more; one that is being read goes when its last reader does. */
  remove(files: readonly string[]): void {
    for (const file of files) {
      if (this.#readers.has(file)) this.#doomed.add(file);
      else if (this.#dir !== null) rmSync(join(this.#dir, file), { force: true });
    }
  }

  /** Removes the files that a crash left without a row. Returns how many. */
  sweep(referenced: ReadonlySet<string>): number {
    if (this.#dir === null) return 0;
    const orphans = readdirSync(this.#dir).filter((file) => !referenced.has(file));
    for (const file of orphans) unlinkSync(join(this.#dir, file));
    return orphans.length;
  }

  async *#bytes(chunks: readonly Chunk[], start: number, end: number): AsyncGenerator<Uint8Array> {
    let offset = 0;
    for (const { size, data, file } of chunks) {
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, size);
      offset += size;
      if (from >= to) continue;
      if (data) yield data.subarray(from, to);
      else if (file !== null && this.#dir !== null) {
        yield* createReadStream(join(this.#dir, file), {
          start: from,
          end: to - 1,
          highWaterMark: INLINE_BYTES,
        });
      }
    }
  }

  #release(files: readonly string[]): void {
    for (const file of files) {
      const left = (this.#readers.get(file) ?? 1) - 1;
      if (left > 0) {
        this.#readers.set(file, left);
        continue;
      }
      this.#readers.delete(file);
      if (this.#doomed.delete(file)) this.remove([file]);
    }
  }
}

/** Makes the names in a folder durable. */
function syncDir(dir: string): void {
  const handle = openSync(dir, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done)).bytesWritten;
  }
}
