/** Sweeps the store from time to time, in the background: expired files, interrupted uploads, forgotten jobs. */

import { type Clock, systemClock } from '@polyprompt/clock';
import type { Registry, SweepReport } from '@polyprompt/registry';
import type { Logger } from 'pino';

export interface SweeperOptions {
  readonly registry: Pick<Registry, 'sweep'>;
  /** Between two sweeps, whichever process does them; 0 for none. */
  readonly everyMs: number;
  readonly logger: Logger;
  /** @default systemClock */
  readonly clock?: Clock;
}

export interface Sweeper {
  /** Waits for a sweep that has begun; it ends before its next tenant. */
  stop(): Promise<void>;
}

/** The first look is soon: a laptop's service may not live for a whole interval. */
const FIRST_MS = 60_000;

export function startSweeper(options: SweeperOptions): Sweeper {
  const { registry, everyMs, logger, clock = systemClock } = options;
  const stop = new AbortController();
  let cancel: () => void = () => undefined;
  let sweeping: Promise<void> = Promise.resolve();

  const sweep = async () => {
    const onError = (err: unknown) =>
      logger.warn({ err }, 'a part of the store could not be swept');
    try {
      const report = await registry.sweep({ everyMs, signal: stop.signal, onError });
      if (report && didSomething(report)) logger.info(report, 'store swept');
    } catch (err) {
      // The next sweep tries again.
      logger.warn({ err }, 'the store could not be swept');
    }
    if (!stop.signal.aborted) wait(everyMs);
  };
  const wait = (ms: number) => {
    cancel = clock.after(ms, () => {
      sweeping = sweep();
    });
  };
  if (everyMs > 0) wait(Math.min(everyMs, FIRST_MS));
  return {
    async stop() {
      stop.abort();
      cancel();
      await sweeping;
    },
  };
}

function didSomething({ tenants: _, complete: __, ...counts }: SweepReport): boolean {
  return Object.values(counts).some((count) => count > 0);
}
