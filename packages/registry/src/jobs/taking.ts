/** How a worker gets a job: by its lease, then by its document, whose `fence` says who came last. */
import { type Document, type Documents, jobKeys } from '@polyprompt/storage';
import type { Context } from '../context.ts';
import { advance, isIdle } from './control.ts';
import type { JobDispatch } from './dispatch.ts';
import type { JobEnding } from './ending.ts';
import type { JobEvents } from './events.ts';
import type { Job } from './job.ts';
import { JobHandle } from './worker.ts';

interface Parts {
  readonly context: Context;
  readonly documents: Documents<Job>;
  readonly events: JobEvents;
  readonly dispatch: JobDispatch;
  readonly ending: JobEnding;
  readonly maxAttempts: number;
  readonly leaseMs: number;
}

export class JobTaking {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * A job that was taken `maxAttempts` times without getting ahead is failed here.
   * @returns `busy`: another worker has it; `done`: there is nothing to do
   */
  async take(found: Document<Job>, workerId: string): Promise<JobHandle | 'busy' | 'done'> {
    const { context, documents, events, dispatch, ending, maxAttempts, leaseMs } = this.#parts;
    const { tenant, id } = found.value;
    if (isIdle(found.value)) {
      await ending.settle(found.value);
      return 'done';
    }
    const lease = await context.storage.leases.acquire(jobKeys(tenant, id).lease, {
      ttlMs: leaseMs,
    });
    if (!lease) return 'busy';
    const late = Symbol('taken by another');
    try {
      const document = await documents.update(found.key, (job) => {
        if (isIdle(job)) return undefined;
        // The lease ran out before it was used, and who got it next has been here.
        if (job.fence >= lease.fence) throw late;
        return job.attempts >= maxAttempts
          ? this.#crashed(job, lease.fence)
          : this.#taken(job, lease.fence, workerId);
      });
      if (!isIdle(document.value)) {
        return new JobHandle({
          context,
          documents,
          events,
          lease,
          document,
          tell: async (job) => void (await dispatch.tell(job)),
          settle: (job) => ending.settle(job),
        });
      }
      await this.#endCrashed(document.value, lease.fence);
    } catch (error) {
      await lease.release().catch(() => undefined);
      if (error === late) return 'busy';
      throw error;
    }
    await lease.release();
    return 'done';
  }

  #taken(job: Job, fence: number, worker: string): Job {
    const status = advance(job, 'take');
    const updated = this.#parts.context.clock.now();
    return { ...job, status, fence, worker, updated, attempts: job.attempts + 1 };
  }

  #crashed(job: Job, fence: number): Job {
    const now = this.#parts.context.clock.now();
    const message = `the worker died ${job.attempts} times while it worked on this job; the data may need more memory than it has`;
    return {
      ...job,
      fence,
      worker: null,
      status: advance(job, 'fail'),
      updated: now,
      finished: now,
      estimatedFinish: null,
      error: { code: 'worker_died', message, param: null },
    };
  }

  async #endCrashed(job: Job, fence: number): Promise<void> {
    if (job.fence === fence && job.error)
      await this.#parts.events.add(job.tenant, job.id, {
        level: 'error',
        message: job.error.message,
      });
    await this.#parts.ending.settle(job);
  }
}
