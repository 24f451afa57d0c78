import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '@polyprompt/clock';
import type { Queue, Storage } from '@polyprompt/storage';
import { Backbones } from './backbones/backbones.ts';
import type { Context } from './context.ts';
import { Files } from './files/files.ts';
import { Ids } from './ids.ts';
import type { JobMessage } from './jobs/job.ts';
import { Jobs } from './jobs/jobs.ts';
import { Keys } from './keys.ts';
import { Prompts } from './prompts/prompts.ts';
import { type SweepOptions, type SweepReport, sweep } from './sweep.ts';
import { Usage } from './usage.ts';

export interface RegistryOptions {
  readonly storage: Storage;
  /** Made with the schema `JobMessage`. */
  readonly queue: Pick<Queue<JobMessage>, 'send'>;
  /** @default systemClock */
  readonly clock?: Clock;
  /** Random bytes for ids and secrets. @default node:crypto */
  readonly random?: (bytes: number) => Uint8Array;
  /** Times that a job is taken without getting ahead before it is failed. @default 3 */
  readonly maxAttempts?: number | undefined;
  /** How long a worker that falls silent keeps its job from others. @default 30 s */
  readonly leaseMs?: number | undefined;
  /** Jobs of one tenant that have not ended. @default 100 */
  readonly tenantJobs?: number | undefined;
  /** Between two writes of usage counters: what a killed process can lose. @default 5 s */
  readonly usageFlushMs?: number | undefined;
  /**
   * Whether keys and aliases in use are re-read in the background. Off where the process is frozen between
   * requests, as on Lambda: what is older than a second is then re-read by the request that needs it. @default true
   */
  readonly readAhead?: boolean;
}

export interface Registry {
  /** Of all tenants. */
  readonly backbones: Backbones;
  readonly keys: Keys;
  readonly files: Files;
  readonly jobs: Jobs;
  readonly prompts: Prompts;
  readonly usage: Usage;
  /** Removes what nobody will ask for again, of all tenants, and wakes forgotten jobs. */
  sweep(options?: SweepOptions): Promise<SweepReport | undefined>;
  /** Writes what is buffered. */
  close(): Promise<void>;
}

const MAX_ATTEMPTS = 3;
const LEASE_MS = 30_000;
const TENANT_JOBS = 100;
const USAGE_FLUSH_MS = 5000;

/**
 * Every method but `sweep` and those of backbones takes the tenant first and reaches nothing outside its folder.
 * Reads and writes happen on call only.
 */
export function createRegistry({
  storage,
  queue,
  clock = systemClock,
  random = randomBytes,
  maxAttempts = MAX_ATTEMPTS,
  leaseMs = LEASE_MS,
  tenantJobs = TENANT_JOBS,
  usageFlushMs = USAGE_FLUSH_MS,
  readAhead = true,
}: RegistryOptions): Registry {
  const context: Context = { storage, clock, random, ids: new Ids(clock, random), readAhead };
  const files = new Files(context);
  const usage = new Usage(context, usageFlushMs);
  const jobs = new Jobs(context, { queue, files, maxAttempts, leaseMs, tenantJobs });
  return {
    backbones: new Backbones({ storage, clock }),
    keys: new Keys(context),
    files,
    jobs,
    prompts: new Prompts(context),
    usage,
    sweep: (options) => sweep(context, { files, jobs }, options),
    close: () => usage.close(),
  };
}
