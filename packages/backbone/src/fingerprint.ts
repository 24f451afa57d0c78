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
import type { WeightFile } from './weight-files.ts';

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

/**
 * The fingerprint of a backbone, `sha256:<hex>`. Files are streamed, never held in memory.
 * @throws BackboneError `changed_while_reading` if a file is being written
 */
export async function fingerprintOf(
  dir: string,
  weights: readonly WeightFile[],
  { cacheDir = defaultCacheDir(), now = Date.now }: FingerprintOptions = {},
): Promise<string> {
  const files = [
    { name: 'config.json', path: join(dir, 'config.json') },
    { name: 'tokenizer.json', path: join(dir, 'tokenizer.json') },
    ...weights.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  ];
  const cache = await readCache(cacheDir);
  const fresh: Cache = {};
  const manifest = createHash('sha256');
  for (const { name, path } of files) {
    manifest.update(`${await manifestLine(name, path, cache, fresh, now)}\n`);
  }
  if (Object.keys(fresh).length > 0) await writeCache(cacheDir, fresh);
  return `sha256:${manifest.digest('hex')}`;
}

async function manifestLine(
  name: string,
  path: string,
  cache: Cache,
  fresh: Cache,
  now: () => number,
): Promise<string> {
  const before = await statIfPresent(path);
  if (before === undefined) return `absent ${name}`;
  const known = cache[path];
  if (known?.identity === identityOf(before)) return `${known.sha256} ${before.size} ${name}`;
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
  return `${sha256} ${after.size} ${name}`;
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
