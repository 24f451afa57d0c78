import type { Readable } from 'node:stream';
import type { BlobBody } from '@polyprompt/storage';
import type { Job, JobCheckpoint, JobFailure, JobResult, NewJobEvent, Wanted } from './job.ts';

/** How a worker ends its work on a job. */
export type JobOutcome =
  | { readonly status: 'succeeded'; readonly result: JobResult }
  | { readonly status: 'failed'; readonly error: JobFailure }
  /** `result` is the version of the best so far, if there was one. */
  | { readonly status: 'cancelled'; readonly result?: JobResult | null }
  | { readonly status: 'paused' };

/** A job that this worker, and no other, works on. End with `finish` or `release`. */
export interface JobHandle {
  /** As last read or written. */
  readonly job: Job;
  /** What the user wants, as of the last poll (every second). */
  readonly wanted: Wanted;
  /** Aborted when the job is to be paused or cancelled (`stop_wanted`) or is no longer ours (`lease_lost`): checkpoint and end. */
  readonly signal: AbortSignal;
  /** The files are sound: validating_files -> running. */
  validated(): Promise<void>;
  /** Every method below throws RegistryError `lease_lost` when the job is no longer ours. */
  update(
    change: Partial<
      Pick<Job, 'progress' | 'trainedTokens' | 'estimatedFinish' | 'hyperparameters'>
    >,
  ): Promise<Job>;
  event(event: NewJobEvent): Promise<void>;
  /** Adds an evaluation to the job; one of the same step is replaced. */
  addCheckpoint(checkpoint: Omit<JobCheckpoint, 'created'>): Promise<void>;
  /** Keeps the training state; replaces the one before when it is complete. */
  saveState(body: BlobBody): Promise<void>;
  /** @returns undefined when nothing was saved. */
  loadState(): Promise<Readable | undefined>;
  /** Ends the work; the message can be removed. */
  finish(outcome: JobOutcome): Promise<Job>;
  /** Gives the job back (shutdown); the message should be given back too. Not counted as a crash. */
  release(): Promise<void>;
}
