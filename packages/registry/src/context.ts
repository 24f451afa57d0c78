import type { Clock } from '@polyprompt/clock';
import type { Storage } from '@polyprompt/storage';
import type { Ids } from './ids.ts';

/** What every part of the registry works with. */
export interface Context {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  readonly ids: Ids;
  /** Whether what is cached is re-read in the background; see FreshCacheOptions. */
  readonly readAhead: boolean;
}
