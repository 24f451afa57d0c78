/** The state machine of a job, as one table. What is not in it cannot happen. */
import type { JobStatus } from './job.ts';

export const JOB_TRANSITIONS = [
  /** A worker found the files sound. */
  'validated',
  /** A worker took it up, perhaps from a dead one. */
  'take',
  /** A worker gave it back, to be taken up elsewhere. */
  'give_back',
  'pause',
  'resume',
  'succeed',
  'fail',
  'cancel',
] as const;
export type JobTransition = (typeof JOB_TRANSITIONS)[number];

const TABLE: Readonly<Record<JobStatus, Partial<Record<JobTransition, JobStatus>>>> = {
  validating_files: {
    take: 'validating_files',
    give_back: 'validating_files',
    validated: 'running',
    pause: 'paused',
    fail: 'failed',
    cancel: 'cancelled',
  },
  queued: { take: 'running', pause: 'paused', fail: 'failed', cancel: 'cancelled' },
  running: {
    take: 'running',
    validated: 'running',
    give_back: 'queued',
    pause: 'paused',
    succeed: 'succeeded',
    fail: 'failed',
    cancel: 'cancelled',
  },
  paused: {
    take: 'paused',
    give_back: 'paused',
    resume: 'queued',
    fail: 'failed',
    cancel: 'cancelled',
  },
  succeeded: {},
  failed: {},
  cancelled: {},
};

/** @returns undefined where `transition` cannot happen in `status`. */
export function nextStatus(status: JobStatus, transition: JobTransition): JobStatus | undefined {
  return TABLE[status][transition];
}

/** Whether the job has ended for good. */
export function isFinished(status: JobStatus): boolean {
  return Object.keys(TABLE[status]).length === 0;
}
