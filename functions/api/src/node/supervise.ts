/**
 * Keeps a child process running: one that dies is started again, at once the first time and ever more
 * slowly while it keeps dying.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Logger } from 'pino';

export interface SuperviseOptions {
  /** Module that Node runs. */
  readonly entry: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Wait before the second start; doubles with each further one. @default 500 */
  readonly backoffMs?: number;
}

export interface Supervised {
  /** Undefined while it waits to be started again. */
  readonly pid: number | undefined;
  /** Asks the child to end, and waits; kills it when the time is over. */
  stop(graceMs: number): Promise<void>;
}

const LONGEST_WAIT_MS = 30_000;
/** A child that lived so long had a good start. */
const HEALTHY_MS = 60_000;
const GUARD = new URL('./end-with-parent.ts', import.meta.url).href;

export function supervise(options: SuperviseOptions): Supervised {
  const { entry, environment, logger, backoffMs = 500 } = options;
  let child: ChildProcess | undefined;
  let exited = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let stopping = false;

  const start = () => {
    const begun = performance.now();
    const started = spawn(process.execPath, ['--import', GUARD, entry], {
      env: environment,
      // What it logs goes where ours goes; the channel tells it when we are gone.
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    child = started;
    exited = new Promise((resolve) => {
      const ended = (why: object) => {
        resolve();
        if (child !== started) return;
        child = undefined;
        if (stopping) return;
        failures = performance.now() - begun > HEALTHY_MS ? 0 : failures + 1;
        const waitMs = Math.min(LONGEST_WAIT_MS, backoffMs * 2 ** Math.max(0, failures - 1));
        logger.error({ entry, ...why, waitMs }, 'child process ended; it is started again');
        timer = setTimeout(start, waitMs);
      };
      started.once('error', (err) => ended({ err }));
      started.once('exit', (code, signal) => ended({ code, signal }));
    });
  };
  start();
  return {
    get pid() {
      return child?.pid;
    },
    async stop(graceMs) {
      stopping = true;
      clearTimeout(timer);
      child?.kill('SIGTERM');
      const kill = setTimeout(() => child?.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(kill);
    },
  };
}
