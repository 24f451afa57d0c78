import { randomBytes } from 'node:crypto';
import { type Clock, type Queue, type Storage, systemClock } from '@polyprompt/storage';
import { Backbones } from './backbones/backbones.ts';
import type { Context } from './context.ts';
import { Files } from './files.ts';
import { Ids } from './ids.ts';
import type { JobMessage } from './jobs/job.ts';
import { Jobs } from './jobs/jobs.ts';
import { Keys } from './keys.ts';
import { Prompts } from './prompts/prompts.ts';
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
  readonly maxAttempts?: number;
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
  /** Writes what is buffered. */
  close(): Promise<void>;
}

const MAX_ATTEMPTS = 3;

/** Every method but those of backbones takes the tenant first and reaches nothing outside its folder. Reads and writes happen on call only. */
export function createRegistry({
  storage,
  queue,
  clock = systemClock,
  random = randomBytes,
  maxAttempts = MAX_ATTEMPTS,
  readAhead = true,
}: RegistryOptions): Registry {
  const context: Context = { storage, clock, random, ids: new Ids(clock, random), readAhead };
  const files = new Files(context);
  const usage = new Usage(context);
  return {
    backbones: new Backbones({ storage, clock }),
    keys: new Keys(context),
    files,
    jobs: new Jobs(context, { queue, files, maxAttempts }),
    prompts: new Prompts(context),
    usage,
    close: () => usage.close(),
  };
}
