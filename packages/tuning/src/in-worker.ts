/** Runs a tuning job on a worker thread, so that the caller's thread stays free. */
import { Worker } from 'node:worker_threads';
import { TuningError, type TuningErrorCode } from './errors.ts';
import type { JobResult } from './job.ts';
import type { TuningEvent } from './loop.ts';
import type { TuningJob } from './plan.ts';

export interface TuneOptions {
  readonly onEvent?: (event: TuningEvent) => void;
  /** Aborting writes a checkpoint after the current step and rejects with `interrupted`. */
  readonly signal?: AbortSignal;
}

interface Failure {
  readonly name: string;
  readonly code?: string;
  readonly setting?: string;
  readonly message: string;
  readonly stack?: string;
}

type Message =
  | { readonly event: TuningEvent }
  | { readonly result: JobResult }
  | { readonly failure: Failure };

/**
 * Like `runJob`, on a thread of its own.
 * @throws TuningError as `runJob`, and `worker_died`; errors of other packages keep name and code
 */
export function tuneInWorker(job: TuningJob, options: TuneOptions = {}): Promise<JobResult> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { job, stop } });
  const abort = () => Atomics.store(stop, 0, 1);
  options.signal?.addEventListener('abort', abort);
  if (options.signal?.aborted) abort();
  return new Promise<JobResult>((resolve, reject) => {
    worker.on('message', (message: Message) => {
      if ('event' in message) options.onEvent?.(message.event);
      else if ('result' in message) resolve(message.result);
      else reject(revive(message.failure));
    });
    worker.on('error', (cause) => {
      reject(new TuningError('worker_died', `the tuning thread died: ${cause}`, { cause }));
    });
    worker.on('exit', (code) => {
      reject(new TuningError('worker_died', `the tuning thread ended with code ${code}`));
    });
  }).finally(() => {
    options.signal?.removeEventListener('abort', abort);
    return worker.terminate();
  });
}

function revive({ name, code, setting, message, stack }: Failure): Error {
  const error =
    name === 'TuningError'
      ? new TuningError(code as TuningErrorCode, message, setting === undefined ? {} : { setting })
      : new Error(message);
  return Object.assign(error, { name, ...(code ? { code } : {}), ...(stack ? { stack } : {}) });
}
