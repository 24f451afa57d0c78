/**
 * Removes what nobody will ask for again: expired files, what interrupted uploads left, states of ended jobs, requests
 * too old to be repeated. Expired things are gone for everybody before; a sweep gives their room back. It also tells the queue
 * again about jobs whose message was lost. Any process may sweep, at any time; one does per interval.
 *
 * A pass over all tenants may take several sweeps: a bookmark in the store says which tenants are done, and the next
 * sweep goes on behind them, whether the last one had no time left, was stopped or was killed.
 */
import { type Documents, folders } from '@polyprompt/storage';
import { z } from 'zod';
import type { Context } from './context.ts';
import { RegistryError } from './errors.ts';
import { ABANDONED_MS, type Files } from './files/files.ts';
import { inGroups } from './groups.ts';
import type { Jobs } from './jobs/jobs.ts';
import { behind, SWEEP_KEY } from './layout.ts';

export interface SweepOptions {
  /** Nothing is done if another sweep began less than this long ago. @default 0 */
  readonly everyMs?: number;
  /** Ends the sweep when this long has passed; the tenants at work are finished, and some always are. @default none */
  readonly maxMs?: number;
  /** Tenants at most. @default none */
  readonly maxTenants?: number;
  /** Ends the sweep before the next tenants. */
  readonly signal?: AbortSignal;
  /** Told about a tenant whose sweep failed, or uploads (no tenant); the rest is swept nevertheless. */
  readonly onError?: (error: unknown, tenant?: string) => void;
}

export interface SweepReport {
  readonly tenants: number;
  /** Files, or the bytes of interrupted uploads, that were removed. */
  readonly files: number;
  /** Uploads in parts that were aborted. */
  readonly uploads: number;
  /** States of ended jobs that were removed. */
  readonly states: number;
  /** Requests that were forgotten. */
  readonly requests: number;
  /** Jobs that the queue was told about again. */
  readonly reminded: number;
  /** Whether the last tenant was reached; otherwise the next sweep goes on where this one stopped. */
  readonly complete: boolean;
}

type Counts = { -readonly [Count in Exclude<keyof SweepReport, 'complete'>]: number };

interface Parts {
  readonly files: Files;
  readonly jobs: Jobs;
}

/** Tenants at a time: most have nothing to remove, and cost the wait for three answers. */
const GROUP = 8;
/** Sweeps that may die over the same tenants before they are passed over. */
const MAX_TRIES = 3;

const Bookmark = z.object({
  /** When the latest sweep began. */
  began: z.int().nonnegative(),
  /** The sweep that may move the bookmark. */
  sweep: z.string().optional(),
  /** The last tenant of the pass that is done; none between two passes. */
  after: z.string().optional(),
  /** Sweeps that began here and did not get ahead. */
  tries: z.int().nonnegative().default(0),
});
type Bookmark = z.infer<typeof Bookmark>;

/** @returns undefined when another sweep was there first */
export async function sweep(
  context: Context,
  parts: Parts,
  {
    everyMs = 0,
    maxMs = Number.POSITIVE_INFINITY,
    maxTenants = Number.POSITIVE_INFINITY,
    signal,
    onError = () => undefined,
  }: SweepOptions = {},
): Promise<SweepReport | undefined> {
  const { storage, clock } = context;
  const bookmarks = storage.documents(Bookmark);
  const began = clock.now();
  const id = Buffer.from(context.random(12)).toString('hex');
  const start = await begin(bookmarks, { sweep: id, began, everyMs });
  if (!start) return undefined;
  const counts: Counts = { tenants: 0, files: 0, uploads: 0, states: 0, requests: 0, reminded: 0 };
  try {
    for (const folder of [folders.tenants, folders.checkpoints])
      counts.uploads += await storage.abortUploads(folder, began - ABANDONED_MS);
  } catch (error) {
    // A role may not be allowed to list them where the bucket's lifecycle takes care of them.
    onError(error);
  }
  // One listing: there is a folder only for tenants with jobs at work, paused, or with what we look for.
  for await (const tenant of storage.listFolders(folders.checkpoints)) {
    try {
      counts.states += await parts.jobs.forgetStates(tenant);
    } catch (error) {
      onError(error, tenant);
    }
  }
  // Where a sweep has died, the tenant that it died over is found by going one by one.
  const size = start.tries > 1 ? 1 : GROUP;
  let passOver = start.tries > MAX_TRIES;
  const tenants = storage.listFolders(folders.tenants, behind(folders.tenants, start.after));
  for await (const group of inGroups(tenants, size, maxTenants)) {
    if (signal?.aborted) {
      if (counts.tenants === 0) await move(bookmarks, id, start.after);
      return { ...counts, complete: false };
    }
    if (passOver) onError(stuck(group), group[0]);
    else await Promise.all(group.map((tenant) => tidy(tenant, { parts, counts, onError })));
    passOver = false;
    counts.tenants += group.length;
    const isMine = await move(bookmarks, id, group.at(-1));
    const isOver = counts.tenants >= maxTenants || clock.now() - began >= maxMs;
    if (!isMine || isOver) return { ...counts, complete: false };
  }
  return { ...counts, complete: await move(bookmarks, id, undefined) };
}

/** Takes the bookmark over from whichever sweep had it. */
async function begin(
  bookmarks: Documents<Bookmark>,
  { sweep, began, everyMs }: { sweep: string; began: number; everyMs: number },
): Promise<Bookmark | undefined> {
  const tooSoon = Symbol('too soon');
  try {
    const { value } = await bookmarks.upsert(SWEEP_KEY, (last) => {
      if (last && began - last.began < everyMs) throw tooSoon;
      return { ...last, began, sweep, tries: (last?.tries ?? 0) + 1 };
    });
    return value;
  } catch (error) {
    if (error === tooSoon) return undefined;
    throw error;
  }
}

/** @returns whether the bookmark is still this sweep's; if not, another one goes on */
async function move(
  bookmarks: Documents<Bookmark>,
  sweep: string,
  after: string | undefined,
): Promise<boolean> {
  const { value } = await bookmarks.update(SWEEP_KEY, (last) =>
    last.sweep === sweep
      ? { began: last.began, sweep, tries: 0, ...(after !== undefined && { after }) }
      : undefined,
  );
  return value.sweep === sweep;
}

async function tidy(
  tenant: string,
  {
    parts: { files, jobs },
    counts,
    onError,
  }: { parts: Parts; counts: Counts; onError: NonNullable<SweepOptions['onError']> },
): Promise<void> {
  try {
    const { reminded, forgotten } = await jobs.tidy(tenant);
    counts.reminded += reminded;
    counts.requests += forgotten;
    const removed = await files.tidy(tenant);
    counts.files += removed;
  } catch (error) {
    onError(error, tenant);
  }
}

function stuck([tenant]: readonly string[]): RegistryError {
  return new RegistryError(
    'sweep_stuck',
    `${MAX_TRIES} sweeps ended over tenant "${tenant}", so this pass leaves it out; look for a tenant with very many files, and let a sweep take longer`,
  );
}
