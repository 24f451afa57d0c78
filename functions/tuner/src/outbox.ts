/**
 * Writes about a run's progress that must never hold up the run: they wait in memory and happen in order, one at
 * a time. Frequent ones are thinned out: one per interval, and only the latest while the store is slow.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export type Write = () => Promise<unknown>;

export interface OutboxOptions {
  /** Told about a write that failed; it is tried again, `ATTEMPTS` times in all, before the next one's turn. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds between two writes that are thinned out. @default 1000 */
  readonly intervalMs?: number;
  /** Milliseconds before a failed write is tried again. @default 1000 */
  readonly retryMs?: number;
  /** Milliseconds, monotonic. @default performance.now */
  readonly now?: () => number;
}

const ATTEMPTS = 5;

export class Outbox {
  readonly #options: Required<OutboxOptions>;
  #waiting: { readonly write: Write; readonly frequent: boolean }[] = [];
  #lastFrequent = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: OutboxOptions) {
    this.#options = { intervalMs: 1000, retryMs: 1000, now: () => performance.now(), ...options };
  }

  /** A write that must not be missed. */
  add(write: Write): void {
    this.#push(write, false);
  }

  /** A write that the next one of its kind makes superfluous. */
  addFrequent(write: Write): void {
    const now = this.#options.now();
    if (now - this.#lastFrequent < this.#options.intervalMs) return;
    this.#lastFrequent = now;
    if (this.#waiting.at(-1)?.frequent) this.#waiting.pop();
    this.#push(write, true);
  }

  /** Resolves when everything added so far is written, given up, or dropped by `stop`. */
  async flush(): Promise<void> {
    if (!this.#writing) return;
    const reached = Promise.withResolvers<void>();
    this.add(async () => reached.resolve());
    // A stopped outbox never gets there.
    await Promise.race([reached.promise, this.#writing]);
  }

  /** Drops what waits: for a job that is somebody else's now. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
  }

  #push(write: Write, frequent: boolean): void {
    if (this.#stopped) return;
    this.#waiting.push({ write, frequent });
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      await this.#try(next.write);
    }
    // In the same turn: what is added in the next one must begin anew, not rely on this.
    this.#writing = undefined;
  }

  async #try(write: Write): Promise<void> {
    for (let attempt = 1; !this.#stopped; attempt++) {
      try {
        await write();
        return;
      } catch (error) {
        if (this.#stopped) return;
        this.#options.onError(error);
        if (attempt === ATTEMPTS) return;
        await sleep(this.#options.retryMs);
      }
    }
  }
}
