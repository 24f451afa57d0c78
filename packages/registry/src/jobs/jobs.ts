import type { Page, PageOptions } from '../page.ts';
import type { Job, JobCheckpoint, JobEvent, JobSpec, NewJobEvent } from './job.ts';
import type { JobHandle } from './worker.ts';

export interface Jobs {
  /**
   * Creates a job and tells the queue; the same `idempotencyKey` for a day, or the same `bodyHash` for a minute,
   * gives the same job.
   * @param prompt name of the prompt; made up from the job's id unless given
   * @throws RegistryError `file_not_found`, `file_not_ready`, `idempotency_mismatch`
   */
  create(
    tenant: string,
    spec: JobSpec & { prompt?: string | undefined },
    request: { bodyHash: string; idempotencyKey?: string | undefined },
  ): Promise<Job>;
  get(tenant: string, id: string): Promise<Job>;
  /** Newest first. */
  list(
    tenant: string,
    page: PageOptions & { metadata?: Readonly<Record<string, string>> | undefined },
  ): Promise<Page<Job>>;
  /** @throws RegistryError `job_not_found`, `job_finished` */
  cancel(tenant: string, id: string): Promise<Job>;
  /** @throws RegistryError `job_not_found`, `job_finished`, `job_state` */
  pause(tenant: string, id: string): Promise<Job>;
  /** @throws RegistryError `job_not_found`, `job_finished`, `job_state` */
  resume(tenant: string, id: string): Promise<Job>;
  addEvent(tenant: string, id: string, event: NewJobEvent): Promise<void>;
  /** Newest first; `after` is the sequence number of the last one of the page before. */
  events(
    tenant: string,
    id: string,
    page: { limit: number; after?: number | undefined },
  ): Promise<Page<JobEvent>>;
  /** Events in order, those behind `after` on, as they come, until the job has ended or `signal` aborts. */
  follow(
    tenant: string,
    id: string,
    options?: { after?: number | undefined; signal?: AbortSignal | undefined },
  ): AsyncGenerator<JobEvent>;
  /** Newest first; `after` is the step of the last one of the page before. */
  checkpoints(
    tenant: string,
    id: string,
    page: { limit: number; after?: number | undefined },
  ): Promise<Page<JobCheckpoint>>;
  /**
   * For workers. `busy`: another one has it, give the message back; `done`: nothing to do, remove the message.
   * A job that was taken too often without getting ahead is failed here.
   */
  take(tenant: string, id: string, workerId: string): Promise<JobHandle | 'busy' | 'done'>;
}
