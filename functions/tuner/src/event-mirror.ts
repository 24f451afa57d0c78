/**
 * Writes a run's progress into the job's event log without ever holding it up: events wait in memory, in order,
 * and at most one write is under way. Step metrics are thinned out (one per interval, and only the latest while
 * the store is slow); every other event is kept.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface JobEvent {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly type: 'message' | 'metrics';
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
}

export interface MirrorOptions {
  readonly write: (event: JobEvent) => Promise<unknown>;
  /** Told about a write that failed; the event is tried again up to `ATTEMPTS` times in all. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds between two step events. @default 1000 */
  readonly stepIntervalMs?: number;
  /** Milliseconds before a failed write is tried again. @default 1000 */
  readonly retryMs?: number;
  /** Milliseconds, monotonic. @default performance.now */
  readonly now?: () => number;
}

const ATTEMPTS = 5;

export class EventMirror {
  readonly #options: Required<MirrorOptions>;
  #waiting: { readonly event: JobEvent; readonly step: boolean }[] = [];
  #lastStep = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: MirrorOptions) {
    this.#options = {
      stepIntervalMs: 1000,
      retryMs: 1000,
      now: () => performance.now(),
      ...options,
    };
  }

  /** An event that must not be missed. */
  add(event: JobEvent): void {
    this.#push(event, false);
  }

  /** The metrics of a step, as far as there is room for them. */
  addStep(event: JobEvent): void {
    const now = this.#options.now();
    if (now - this.#lastStep < this.#options.stepIntervalMs) return;
    this.#lastStep = now;
    if (this.#waiting.at(-1)?.step) this.#waiting.pop();
    this.#push(event, true);
  }

  /** Resolves when everything added so far is written, given up, or dropped by `stop`. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  /** Drops what waits: for a job that is somebody else's now. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
  }

  #push(event: JobEvent, step: boolean): void {
    if (this.#stopped) return;
    this.#waiting.push({ event, step });
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      await this.#write(next.event);
    }
  }

  async #write(event: JobEvent): Promise<void> {
    for (let attempt = 1; !this.#stopped; attempt++) {
      try {
        await this.#options.write(event);
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
