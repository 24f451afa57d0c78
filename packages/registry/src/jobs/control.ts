/**
 * What users may ask of a job, as pure changes of its document. A job that no worker holds changes at once; one
 * that a worker holds gets a wish, which the worker follows. A job with a saved training state is cancelled by a
 * worker in any case, because its best version is to be published.
 */
import { RegistryError } from '../errors.ts';
import type { Job, JobStatus } from './job.ts';
import { isFinished, type JobTransition, nextStatus } from './transition.ts';

/** @throws RegistryError `job_state` where the transition is impossible */
export function advance(job: Job, transition: JobTransition): JobStatus {
  const next = nextStatus(job.status, transition);
  if (next !== undefined) return next;
  throw new RegistryError('job_state', `job "${job.id}" is ${job.status}: it cannot ${transition}`);
}

/** @returns undefined when nothing has to change. @throws RegistryError `job_finished` */
export function cancelled(job: Job, now: number): Job | undefined {
  if (job.status === 'cancelled' || (job.wanted === 'cancel' && !isFinished(job.status)))
    return undefined;
  assertUnfinished(job, 'cancelled');
  if (job.worker !== null) return { ...job, wanted: 'cancel', updated: now };
  if (job.saved !== null)
    return { ...job, wanted: 'cancel', updated: now, sent: null, attempts: 0 };
  const status = advance(job, 'cancel');
  return { ...job, wanted: 'cancel', status, updated: now, finished: now };
}

/** @returns undefined when nothing has to change. @throws RegistryError `job_finished`, `job_state` */
export function paused(job: Job, now: number): Job | undefined {
  assertUnfinished(job, 'paused');
  assertNotCancelling(job);
  if (job.status === 'paused' || job.wanted === 'pause') return undefined;
  if (job.worker !== null) return { ...job, wanted: 'pause', updated: now };
  return { ...job, wanted: 'pause', status: advance(job, 'pause'), updated: now };
}

/** @returns undefined when nothing has to change. @throws RegistryError `job_finished`, `job_state` */
export function resumed(job: Job, now: number): Job | undefined {
  assertUnfinished(job, 'resumed');
  assertNotCancelling(job);
  if (job.status === 'paused') {
    const status = advance(job, 'resume');
    return { ...job, wanted: 'run', status, updated: now, sent: null, attempts: 0 };
  }
  return job.wanted === 'run' ? undefined : { ...job, wanted: 'run', updated: now };
}

/** Whether there is nothing for a worker to do. */
export function isIdle({ status, wanted }: Job): boolean {
  return isFinished(status) || (status === 'paused' && wanted !== 'cancel');
}

function assertUnfinished(job: Job, verb: string): void {
  if (!isFinished(job.status)) return;
  throw new RegistryError(
    'job_finished',
    `job "${job.id}" has ended already (${job.status}); only a waiting, running or paused job can be ${verb}`,
  );
}

function assertNotCancelling(job: Job): void {
  if (job.wanted !== 'cancel') return;
  throw new RegistryError('job_state', `job "${job.id}" is being cancelled; create a new job`);
}
