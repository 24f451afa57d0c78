import { randomBytes } from 'node:crypto';
import { type Clock, type Queue, type Storage, systemClock } from '@polyprompt/storage';
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
}

export interface Registry {
  readonly keys: Keys;
  readonly files: Files;
  readonly jobs: Jobs;
  readonly prompts: Prompts;
  readonly usage: Usage;
  /** Writes what is buffered. */
  close(): Promise<void>;
}

const MAX_ATTEMPTS = 3;

/** Every method takes the tenant first and reaches nothing outside its folder. Reads and writes happen on call only. */
export function createRegistry({
  storage,
  queue,
  clock = systemClock,
  random = randomBytes,
  maxAttempts = MAX_ATTEMPTS,
}: RegistryOptions): Registry {
  const context: Context = { storage, clock, random, ids: new Ids(clock, random) };
  const files = new Files(context);
  const usage = new Usage(context);
  return {
    keys: new Keys(context),
    files,
    jobs: new Jobs(context, { queue, files, maxAttempts }),
    prompts: new Prompts(context),
    usage,
    close: () => usage.close(),
  };
}
