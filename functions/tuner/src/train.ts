/** One training run in the job's folder: starts anew where a checkpoint does not fit, and can be stopped. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CHECKPOINT_FILE,
  type JobResult,
  TuningError,
  type TuningEvent,
  type TuningJob,
  tuneInWorker,
} from '@polyprompt/tuning';

export interface TrainOptions {
  /** Aborting ends the run with `interrupted`: with a checkpoint where it trains, at once where it does not yet. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: TuningEvent) => void;
  /** Told why the checkpoint is of no use, before the run starts anew. */
  readonly onRestart: (reason: string) => void;
}

const UNUSABLE = ['bad_checkpoint', 'checkpoint_mismatch'];

/** @throws TuningError and errors of the backbone, as `tuneInWorker` */
export async function trainJob(job: TuningJob, options: TrainOptions): Promise<JobResult> {
  try {
    return await run(job, options);
  } catch (error) {
    const { code, message } = error as Partial<TuningError>;
    if (!(error instanceof TuningError) || !UNUSABLE.includes(code ?? '')) throw error;
    // A tuner with other defaults, or another backbone under the same id, cannot continue bit for bit.
    options.onRestart(message ?? '');
    await rm(join(job.out, CHECKPOINT_FILE), { force: true });
    return run(job, options);
  }
}

async function run(job: TuningJob, { signal, onEvent }: TrainOptions): Promise<JobResult> {
  if (signal.aborted) throw stopped();
  let training = false;
  let left = false;
  const early = Promise.withResolvers<never>();
  const onAbort = () => {
    if (!training) early.reject(stopped());
  };
  signal.addEventListener('abort', onAbort);
  const result = tuneInWorker(job, {
    signal,
    onEvent: (event) => {
      if (left) return;
      if (event.type === 'started') training = true;
      onEvent(event);
    },
  });
  try {
    // A thread that is left behind ends by itself before its first step; its result is nobody's.
    return await Promise.race([result, early.promise]);
  } finally {
    left = true;
    signal.removeEventListener('abort', onAbort);
    early.promise.catch(() => undefined);
    result.catch(() => undefined);
  }
}

function stopped(): TuningError {
  return new TuningError('interrupted', 'stopped before the training began');
}
