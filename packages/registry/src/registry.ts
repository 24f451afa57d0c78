import type { Clock, Queue, Storage } from '@polyprompt/storage';
import type { Files } from './files.ts';
import type { JobMessage } from './jobs/job.ts';
import type { Jobs } from './jobs/jobs.ts';
import type { Keys } from './keys.ts';
import type { Prompts } from './prompts/prompts.ts';
import type { Usage } from './usage.ts';

export interface RegistryOptions {
  readonly storage: Storage;
  /** Made with the schema `JobMessage`. */
  readonly queue: Pick<Queue<JobMessage>, 'send'>;
  /** @default systemClock */
  readonly clock?: Clock;
  /** Random bytes for ids and secrets. @default node:crypto */
  readonly random?: (bytes: number) => Uint8Array;
  /** Takes without getting ahead after which a job is failed. @default 3 */
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

export declare function createRegistry(options: RegistryOptions): Registry;
