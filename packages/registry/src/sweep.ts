/**
 * Removes what nobody will ask for again: expired files, what interrupted uploads left, requests too old to be
 * repeated. Expired things are gone for everybody before; a sweep gives their room back. It also tells the queue
 * again about jobs whose message was lost. Any process may sweep, at any time; one does per interval.
 */
import { folders } from '@polyprompt/storage';
import { z } from 'zod';
import type { Context } from './context.ts';
import { ABANDONED_MS, type Files } from './files.ts';
import type { Jobs } from './jobs/jobs.ts';
import { SWEEP_KEY } from './layout.ts';

export interface SweepOptions {
  /** Nothing is done if another sweep began less than this long ago. @default 0 */
  readonly everyMs?: number;
  /** Ends the sweep before the next tenant. */
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
  /** Requests that were forgotten. */
  readonly requests: number;
  /** Jobs that the queue was told about again. */
  readonly reminded: number;
}

const LastSweep = z.object({ began: z.int().nonnegative() });

/** @returns undefined when another sweep was there first */
export async function sweep(
  context: Context,
  { files, jobs }: { readonly files: Files; readonly jobs: Jobs },
  { everyMs = 0, signal, onError = () => undefined }: SweepOptions = {},
): Promise<SweepReport | undefined> {
  const { storage, clock } = context;
  const tooSoon = Symbol('too soon');
  try {
    await storage.documents(LastSweep).upsert(SWEEP_KEY, (last) => {
      if (last && clock.now() - last.began < everyMs) throw tooSoon;
      return { began: clock.now() };
    });
  } catch (error) {
    if (error === tooSoon) return undefined;
    throw error;
  }
  const report = { tenants: 0, files: 0, uploads: 0, requests: 0, reminded: 0 };
  try {
    report.uploads = await storage.abortUploads(folders.tenants, clock.now() - ABANDONED_MS);
  } catch (error) {
    // A role may not be allowed to list them where the bucket's lifecycle takes care of them.
    onError(error);
  }
  for await (const tenant of storage.listFolders(folders.tenants)) {
    if (signal?.aborted) break;
    report.tenants++;
    try {
      const { reminded, forgotten } = await jobs.tidy(tenant);
      report.reminded += reminded;
      report.requests += forgotten;
      report.files += await files.tidy(tenant);
    } catch (error) {
      onError(error, tenant);
    }
  }
  return report;
}
