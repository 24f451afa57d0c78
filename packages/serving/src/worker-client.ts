/**
 * The near side of one inference worker. Messages wait in its port while it starts, so nothing here has
 * to. When a ready worker dies its runs fail, its prompts are lost, and another takes its place at once;
 * one that cannot even start is not tried again before somebody asks.
 */
import { Worker } from 'node:worker_threads';
import { type PromptTensors, tensorsOf } from '@polyprompt/backbone';
import { ServingError } from './errors.ts';
import {
  type FromWorker,
  fromFailure,
  type InferenceRow,
  type Runtime,
  type ToWorker,
  type WorkerSettings,
} from './protocol.ts';

export interface WorkerClientOptions {
  readonly settings: WorkerSettings;
  /** Called when the worker is gone, before its runs are told. */
  readonly onLost: () => void;
  /** The module that the thread runs. */
  readonly entry?: URL;
}

interface Run {
  readonly resolve: (logits: readonly Float32Array[]) => void;
  readonly reject: (error: ServingError) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly ready: Promise<Runtime>;
  /** Ends it in the books: rejects what waits for it. */
  readonly lose: (error: ServingError) => void;
  readonly runs: Map<number, Run>;
  /** Known when it is ready. */
  runtime: Runtime | null;
}

const ENTRY = new URL('./inference-worker.ts', import.meta.url);

export class WorkerClient {
  readonly #options: WorkerClientOptions;
  #thread: Thread | undefined;
  #nextRun = 0;
  #restarts = 0;
  #closed = false;

  constructor(options: WorkerClientOptions) {
    this.#options = options;
    this.#thread = this.#spawn();
  }

  /** Where it computes; null while it is not ready. */
  get runtime(): Runtime | null {
    return this.#thread?.runtime ?? null;
  }

  /** Workers that died after they had been ready. */
  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Where it computes, when the worker has loaded the backbone and warmed up.
   * @throws ServingError `start_failed` with the reason as cause, `worker_crashed`, `closed`
   */
  ready(): Promise<Runtime> {
    return this.#current().ready;
  }

  /** Keeps a prompt in the worker's memory under a number. The tensors' buffers are taken away. */
  load(prompt: number, tensors: PromptTensors): void {
    const buffers = tensorsOf(tensors).map(({ data }) => data.buffer);
    const transfer = buffers.filter((buffer) => buffer instanceof ArrayBuffer);
    this.#post({ type: 'load', prompt, tensors }, [...new Set(transfer)]);
  }

  drop(prompt: number): void {
    if (this.#thread) this.#post({ type: 'drop', prompt });
  }

  /**
   * Computes a batch: the logits of each row, as its `output` asks.
   * @throws ServingError `inference_failed`, `worker_crashed`, `start_failed`, `closed`
   */
  run(rows: readonly InferenceRow[]): Promise<readonly Float32Array[]> {
    const { runs } = this.#current();
    const run = this.#nextRun++;
    const { promise, resolve, reject } = Promise.withResolvers<readonly Float32Array[]>();
    runs.set(run, { resolve, reject });
    this.#post({ type: 'run', run, rows });
    return promise;
  }

  /** Lets the worker finish what it was given, then ends it. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const thread = this.#thread;
    if (thread) this.#post({ type: 'close' });
    this.#closed = true;
    if (thread) await new Promise((resolve) => thread.worker.once('exit', resolve));
  }

  #current(): Thread {
    if (this.#closed) throw new ServingError('closed', 'the engine is closed');
    this.#thread ??= this.#spawn();
    return this.#thread;
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#current().worker.postMessage(message, transfer);
  }

  #spawn(): Thread {
    const { settings, entry = ENTRY } = this.#options;
    const worker = new Worker(entry, { workerData: settings });
    const ready = Promise.withResolvers<Runtime>();
    // Whoever cares asks `ready()`; a failed start also fails every run.
    ready.promise.catch(() => {});
    const runs = new Map<number, Run>();
    const thread: Thread = {
      worker,
      ready: ready.promise,
      runs,
      runtime: null,
      lose(error) {
        ready.reject(error);
        for (const { reject } of runs.values()) reject(error);
        runs.clear();
      },
    };
    worker.on('message', (message: FromWorker) => {
      switch (message.type) {
        case 'ready':
          thread.runtime = message.runtime;
          ready.resolve(message.runtime);
          return;
        case 'start_failed': {
          const cause = fromFailure(message.failure);
          this.#lost(thread, new ServingError('start_failed', cause.message, { cause }));
          return;
        }
        case 'logits':
          runs.get(message.run)?.resolve(unpack(message.logits, message.lengths));
          runs.delete(message.run);
          return;
        case 'run_failed': {
          const cause = fromFailure(message.failure);
          const error = new ServingError('inference_failed', cause.message, { cause });
          runs.get(message.run)?.reject(error);
          runs.delete(message.run);
          return;
        }
        default:
          message satisfies never;
      }
    });
    worker.on('error', (cause) => this.#lost(thread, crashed(cause.message, cause)));
    worker.on('exit', (code) => this.#lost(thread, crashed(`it ended with code ${code}`)));
    return thread;
  }

  #lost(thread: Thread, error: ServingError): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    if (this.#closed) {
      thread.lose(new ServingError('closed', 'the engine is closed'));
      return;
    }
    this.#options.onLost();
    thread.lose(error);
    if (!thread.runtime) return;
    this.#restarts++;
    this.#thread = this.#spawn();
  }
}

function unpack(logits: Float32Array, lengths: readonly number[]): Float32Array[] {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return logits.subarray(end - length, end);
  });
}

function crashed(why: string, cause?: unknown): ServingError {
  const message = `the inference worker died: ${why}; it is being restarted, try again`;
  return new ServingError('worker_crashed', message, { cause });
}
