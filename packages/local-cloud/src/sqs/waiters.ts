import type { Clock } from '@polyprompt/clock';

/** Long polls that sleep until a queue changes, a message becomes visible, or their time is over. */
export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves at `until` (epoch ms), on `notify(queue)`, or on abort, whichever is first. */
  wait(queue: string, until: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const waiting = this.#waiting.get(queue) ?? new Set();
      this.#waiting.set(queue, waiting);
      const wake = () => {
        cancel();
        waiting.delete(wake);
        if (waiting.size === 0 && this.#waiting.get(queue) === waiting) this.#waiting.delete(queue);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = this.#clock.after(Math.max(until - this.#clock.now(), 0), wake);
      waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  notify(queue: string): void {
    for (const wake of [...(this.#waiting.get(queue) ?? [])]) wake();
  }
}
