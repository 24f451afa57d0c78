// What a backbone is, as one hash: SHA-256 over a manifest with one line per file,
//     <SHA-256 of the file's bytes> <bytes> <name>
// for config.json, tokenizer.json (or a line of its absence) and the weight files in order of name.
// Bytes, not parsed values: simple to check with sha256sum, and no change can slip through.
// Hashing a gigabyte takes seconds, so the hashes of large files are remembered with the file's identity.

import { createHash, randomUUID } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { BackboneError } from './errors.ts';
import { SHARD_INDEX, SINGLE_FILE, type WeightFile } from './weight-files.ts';

export interface FingerprintOptions {
  /** Where hashes are remembered; a folder that cannot be written is no error. */
  readonly cacheDir?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** `$POLYPROMPT_HOME`, or `~/.cache/polyprompt`. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  return env.POLYPROMPT_HOME || join(homedir(), '.cache', 'polyprompt');
}

const CACHE_FILE = 'fingerprints.json';
const MAX_CACHED_FILES = 256;
/** Smaller files are hashed faster than a cache is kept. */
const CACHE_FROM_BYTES = 1n << 20n;
/** A file changed this recently could change again without its times showing it. */
const SETTLED_AFTER_MS = 2_000;
const CHUNK_BYTES = 1 << 20;

/** One file of a backbone, by content. */
export interface HashedFile {
  /** Name in the model folder. */
  readonly name: string;
  /** Absolute path, for weights with symbolic links resolved. */
  readonly path: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/**
 * The fingerprint of a backbone, `sha256:<hex>`. Files are streamed, never held in memory.
 * @throws BackboneError `changed_while_reading` if a file is being written
 */
export async function fingerprintOf(
  dir: string,
  weights: readonly WeightFile[],
  options: FingerprintOptions = {},
): Promise<string> {
  return fingerprintOfFiles(await hashFiles(dir, weights, options));
}

/** The fingerprint that a backbone of exactly these files has; other files than those it counts are passed over. */
export function fingerprintOfFiles(files: readonly Omit<HashedFile, 'path'>[]): string {
  const line = (name: string) => {
    const file = files.find((each) => each.name === name);
    return file === undefined ? `absent ${name}` : `${file.sha256} ${file.bytes} ${name}`;
  };
  const weights = files.map(({ name }) => name).filter((name) => name.endsWith('.safetensors'));
  const manifest = createHash('sha256');
  for (const name of ['config.json', 'tokenizer.json', ...weights.toSorted()]) {
    manifest.update(`${line(name)}\n`);
  }
  return `sha256:${manifest.digest('hex')}`;
}

/**
 * The files of a model folder that it takes to open it: config.json, tokenizer.json if it is there, weights, and
 * the index of shards, which the fingerprint does not count.
 * @throws BackboneError `changed_while_reading` if a file is being written
 */
export async function hashFiles(
  dir: string,
  weights: readonly WeightFile[],
  { cacheDir = defaultCacheDir(), now = Date.now }: FingerprintOptions = {},
): Promise<HashedFile[]> {
  const files = [
    { name: 'config.json', path: join(dir, 'config.json') },
    { name: 'tokenizer.json', path: join(dir, 'tokenizer.json') },
    ...weights,
    ...(weights.some(({ name }) => name === SINGLE_FILE)
      ? []
      : [{ name: SHARD_INDEX, path: join(dir, SHARD_INDEX) }]),
  ];
  const cache = await readCache(cacheDir);
  const fresh: Cache = {};
  const hashed: HashedFile[] = [];
  for (const { name, path } of files) {
    const found = await contentOf(path, cache, fresh, now);
    if (found !== undefined) hashed.push({ name, path, ...found });
  }
  if (Object.keys(fresh).length > 0) await writeCache(cacheDir, fresh);
  return hashed;
}

/**
 * Remembers hashes that are known because the files have just been written from verified bytes, so that
 * nobody hashes them again.
 */
export async function rememberHashes(
  files: readonly Pick<HashedFile, 'path' | 'sha256'>[],
  { cacheDir = defaultCacheDir() }: Pick<FingerprintOptions, 'cacheDir'> = {},
): Promise<void> {
  const fresh: Cache = {};
  for (const { path, sha256 } of files) {
    const found = await statIfPresent(path);
    if (found !== undefined && found.size >= CACHE_FROM_BYTES) {
      fresh[path] = { identity: identityOf(found), sha256 };
    }
  }
  if (Object.keys(fresh).length > 0) await writeCache(cacheDir, fresh);
}

async function contentOf(
  path: string,
  cache: Cache,
  fresh: Cache,
  now: () => number,
): Promise<Pick<HashedFile, 'bytes' | 'sha256'> | undefined> {
  const before = await statIfPresent(path);
  if (before === undefined) return undefined;
  const bytes = Number(before.size);
  const known = cache[path];
  if (known?.identity === identityOf(before)) return { bytes, sha256: known.sha256 };
  const sha256 = await hashFile(path);
  const after = await statIfPresent(path);
  if (after === undefined || identityOf(after) !== identityOf(before)) {
    throw new BackboneError(
      'changed_while_reading',
      `${path} changed while its fingerprint was taken; wait until it is complete and try again`,
    );
  }
  const settled = now() - Number(after.ctimeMs) >= SETTLED_AFTER_MS;
  if (after.size >= CACHE_FROM_BYTES && settled) {
    fresh[path] = { identity: identityOf(after), sha256 };
  }
  return { bytes, sha256 };
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    hash.update(chunk);
  }
  return hash.digest('hex');
}

async function statIfPresent(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function identityOf(stats: BigIntStats): string {
  // The change time cannot be set back, unlike the modification time.
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ');
}

const cacheSchema = z.record(
  z.string(),
  z.object({ identity: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
);
type Cache = z.infer<typeof cacheSchema>;

async function readCache(cacheDir: string): Promise<Cache> {
  try {
    return cacheSchema.parse(JSON.parse(await readFile(join(cacheDir, CACHE_FILE), 'utf8')));
  } catch {
    // Absent, unreadable or damaged: all it holds can be computed again.
    return {};
  }
}

async function writeCache(cacheDir: string, fresh: Cache): Promise<void> {
  const temporary = join(cacheDir, `.${CACHE_FILE}.${randomUUID()}.tmp`);
  try {
    await mkdir(cacheDir, { recursive: true });
    // Another process may have added entries meanwhile; the latest of all are kept.
    const entries = await readCache(cacheDir);
    for (const [path, entry] of Object.entries(fresh)) {
      delete entries[path];
      entries[path] = entry;
    }
    const latest = Object.fromEntries(Object.entries(entries).slice(-MAX_CACHED_FILES));
    await writeFile(temporary, JSON.stringify(latest, null, 1), { mode: 0o600 });
    await rename(temporary, join(cacheDir, CACHE_FILE));
  } catch {
    // A cache that cannot be written costs time, nothing else.
    await rm(temporary, { force: true }).catch(() => {});
  }
}
