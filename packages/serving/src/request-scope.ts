import type { Clock } from '@polyprompt/clock';
import { ServingError } from './errors.ts';

/** One signal for both reasons to give a request up: its deadline, and a client that has left. */
export interface RequestScope {
  /** Its reason is a ServingError, `deadline_exceeded` or `cancelled`. */
  readonly signal: AbortSignal;
  /** Settles as `work` does, or rejects as soon as the request is given up. */
  guard<T>(work: Promise<T>): Promise<T>;
  /** Settles with guarded work that was given up but goes on; undefined where there is none. */
  readonly rest: Promise<unknown> | undefined;
  /** Stops the timer. */
  end(): void;
}

export function openScope(
  deadlineMs: number,
  caller: AbortSignal | undefined,
  clock: Clock,
): RequestScope {
  const controller = new AbortController();
  const { signal } = controller;
  let rest: Promise<unknown> | undefined;
  const leave = () => {
    const options = { cause: caller?.reason };
    controller.abort(new ServingError('cancelled', 'the request was cancelled', options));
  };
  if (caller?.aborted) leave();
  caller?.addEventListener('abort', leave);
  const stopTimer = clock.after(deadlineMs, () => {
    const message = `no answer within ${deadlineMs} ms; send fewer or shorter texts per request, or try again`;
    controller.abort(new ServingError('deadline_exceeded', message));
  });
  return {
    signal,
    get rest() {
      return rest;
    },
    guard: (work) =>
      new Promise((resolve, reject) => {
        const done = () => {
          rest = undefined;
        };
        rest = work.then(done, done);
        const giveUp = () => reject(signal.reason);
        if (signal.aborted) giveUp();
        signal.addEventListener('abort', giveUp, { once: true });
        work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
      }),
    end() {
      stopTimer();
      caller?.removeEventListener('abort', leave);
    },
  };
}
