/**
 * Makes batches of rows from many requests, across tenants and prompts, while the workers are busy;
 * an idle worker gets what is there at once. It knows neither prompts nor HTTP, and keeps no limit on
 * how much waits: whoever submits was admitted before (admission.ts).
 */

import { type Clock, steadyClock } from '@polyprompt/clock';
import { chooseBatch } from './choose-batch.ts';
import { FairQueue } from './fair-queue.ts';
import type { ServingLimits } from './limits.ts';

export interface BatcherOptions<Row, Result> {
  /** Computes a batch; the results are in the order of the rows. */
  readonly run: (rows: readonly Row[]) => Promise<readonly Result[]>;
  /** Batches that may run at the same time. */
  readonly workers: number;
  readonly limits: Pick<ServingLimits, 'batchRows' | 'batchTokens' | 'batchPadding' | 'batchBytes'>;
  readonly clock?: Clock;
}

export interface SubmitOptions {
  readonly tenant: string;
  /** Takes the request's rows out of the queue and rejects with the reason. */
  readonly signal?: AbortSignal;
}

export interface Batched<Result> {
  /** In the order of the rows. */
  readonly results: readonly Result[];
  /** Until the first row began to run. */
  readonly queueMs: number;
  /** From then until the last row was done. */
  readonly inferenceMs: number;
}

export interface BatcherStats {
  readonly waitingRows: number;
  readonly waitingTenants: number;
  readonly runningBatches: number;
  readonly batches: number;
  readonly rows: number;
  readonly tokens: number;
  /** Computed for nothing, to make rows equally long. */
  readonly paddingTokens: number;
}

interface Request<Row, Result> {
  /** Those of its rows that have not begun to run. */
  readonly waiting: Set<Waiting<Row, Result>>;
  readonly results: Result[];
  readonly submitted: number;
  begun: number | undefined;
  left: number;
  readonly resolve: (batched: Batched<Result>) => void;
  readonly reject: (error: unknown) => void;
}

interface Waiting<Row, Result> {
  readonly row: Row;
  readonly tokens: number;
  readonly bytes: number;
  readonly tenant: string;
  readonly request: Request<Row, Result>;
  readonly index: number;
}

/** How many waiting rows are looked at for one batch, in batches: enough to find rows of like length. */
const WINDOW_BATCHES = 8;

export class Batcher<Row extends { readonly tokens: number; readonly bytes?: number }, Result> {
  readonly #options: BatcherOptions<Row, Result>;
  readonly #clock: Clock;
  readonly #queue = new FairQueue<Waiting<Row, Result>>();
  #running = 0;
  #scheduled = false;
  #batches = 0;
  #rows = 0;
  #tokens = 0;
  #paddingTokens = 0;

  constructor(options: BatcherOptions<Row, Result>) {
    this.#options = options;
    this.#clock = options.clock ?? steadyClock;
  }

  /**
   * Runs rows, together with those of others where that fits.
   * @throws whatever `run` throws for one of the batches; the reason of `signal`
   */
  async submit(rows: readonly Row[], { tenant, signal }: SubmitOptions): Promise<Batched<Result>> {
    signal?.throwIfAborted();
    if (rows.length === 0) return { results: [], queueMs: 0, inferenceMs: 0 };
    const { promise, resolve, reject } = Promise.withResolvers<Batched<Result>>();
    const request: Request<Row, Result> = {
      waiting: new Set(),
      results: new Array(rows.length),
      submitted: this.#clock.now(),
      begun: undefined,
      left: rows.length,
      resolve,
      reject,
    };
    rows.forEach((row, index) => {
      const { tokens, bytes = 0 } = row;
      const item = { row, tokens, bytes, tenant, request, index };
      request.waiting.add(item);
      this.#queue.add(item);
    });
    this.#schedule();
    const leave = () => this.#fail(request, signal!.reason);
    signal?.addEventListener('abort', leave, { once: true });
    return promise.finally(() => signal?.removeEventListener('abort', leave));
  }

  /**
   * Fails every request that has rows waiting; running batches go on.
   * @param errorOf the error for a request of which some rows have begun, or none
   */
  rejectWaiting(errorOf: (begun: boolean) => unknown): void {
    const waiting = this.#queue.peek(this.#queue.size);
    for (const request of new Set(waiting.map((item) => item.request))) {
      this.#fail(request, errorOf(request.begun !== undefined));
    }
  }

  stats(): BatcherStats {
    return {
      waitingRows: this.#queue.size,
      waitingTenants: this.#queue.tenants,
      runningBatches: this.#running,
      batches: this.#batches,
      rows: this.#rows,
      tokens: this.#tokens,
      paddingTokens: this.#paddingTokens,
    };
  }

  /** At the end of this turn of the event loop's job, so that requests that came together run together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      while (this.#running < this.#options.workers && this.#queue.size > 0) this.#dispatch();
    });
  }

  #dispatch(): void {
    const { limits, run } = this.#options;
    const batch = chooseBatch(this.#queue.peek(limits.batchRows * WINDOW_BATCHES), limits);
    this.#queue.take(batch);
    this.#count(batch);
    const now = this.#clock.now();
    for (const item of batch) {
      item.request.waiting.delete(item);
      item.request.begun ??= now;
    }
    this.#running++;
    run(batch.map(({ row }) => row))
      .then(
        (results) => {
          for (const [i, item] of batch.entries()) this.#finish(item, results[i]!);
        },
        (error) => {
          for (const { request } of batch) this.#fail(request, error);
        },
      )
      .finally(() => {
        this.#running--;
        this.#schedule();
      });
  }

  /** Nothing more of a request is computed once its client left or one of its batches failed. */
  #fail(request: Request<Row, Result>, error: unknown): void {
    for (const item of request.waiting) this.#queue.delete(item);
    request.waiting.clear();
    request.reject(error);
  }

  #finish({ request, index }: Waiting<Row, Result>, result: Result): void {
    request.results[index] = result;
    request.left--;
    if (request.left > 0) return;
    const { results, submitted, begun = submitted, resolve } = request;
    resolve({ results, queueMs: begun - submitted, inferenceMs: this.#clock.now() - begun });
  }

  #count(batch: readonly Waiting<Row, Result>[]): void {
    const lengths = batch.map(({ tokens }) => tokens);
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    this.#batches++;
    this.#rows += batch.length;
    this.#tokens += tokens;
    this.#paddingTokens += Math.max(...lengths) * batch.length - tokens;
  }
}
