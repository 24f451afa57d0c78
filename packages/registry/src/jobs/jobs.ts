/** Tuning jobs. The truth about a job is its document; the queue only tells workers where to look, at least once. */
import {
  type Document,
  type Documents,
  folders,
  isSegment,
  jobKeys,
  type Queue,
  StorageError,
} from '@polyprompt/storage';
import type { Context } from '../context.ts';
import { RegistryError } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { isId } from '../ids.ts';
import { behind } from '../layout.ts';
import { loadPage, type Page, type PageOptions, slicePage } from '../page.ts';
import { cancelled, paused, resumed } from './control.ts';
import { JobDispatch } from './dispatch.ts';
import { JobEnding } from './ending.ts';
import { JobEvents } from './events.ts';
import {
  Job,
  type JobCheckpoint,
  type JobMessage,
  type JobSpec,
  type NewJobEvent,
  type NumberedEvent,
} from './job.ts';
import { type JobRequest, JobRequests } from './requests.ts';
import { JobSlots } from './slots.ts';
import { JobTaking } from './taking.ts';
import { isFinished } from './transition.ts';
import type { JobHandle } from './worker.ts';

/** How often `follow` looks for more. */
const FOLLOW_MS = 500;

export class Jobs {
  readonly #context: Context;
  readonly #files: Files;
  readonly #documents: Documents<Job>;
  readonly #dispatch: JobDispatch;
  readonly #requests: JobRequests;
  readonly #events: JobEvents;
  readonly #slots: JobSlots;
  readonly #ending: JobEnding;
  readonly #taking: JobTaking;

  constructor(
    context: Context,
    {
      queue,
      files,
      maxAttempts,
      leaseMs,
      tenantJobs,
    }: {
      queue: Pick<Queue<JobMessage>, 'send'>;
      files: Files;
      maxAttempts: number;
      leaseMs: number;
      tenantJobs: number;
    },
  ) {
    this.#context = context;
    this.#files = files;
    this.#documents = context.storage.documents(Job);
    this.#dispatch = new JobDispatch(context, queue);
    this.#requests = new JobRequests(context);
    this.#events = new JobEvents(context);
    this.#slots = new JobSlots(context, tenantJobs);
    this.#ending = new JobEnding(context, files, this.#slots);
    this.#taking = new JobTaking({
      context,
      documents: this.#documents,
      events: this.#events,
      dispatch: this.#dispatch,
      ending: this.#ending,
      maxAttempts,
      leaseMs,
    });
  }

  /**
   * Creates a job and tells the queue. The same `idempotencyKey` within a day, or the same `bodyHash` within a
   * minute unless its job was cancelled or has failed, gives the same job.
   * @param spec `prompt` is made up from the job's id unless given
   * @throws RegistryError `file_not_found`, `file_not_ready`, `idempotency_mismatch`, `bad_value`, `too_many_jobs`
   */
  async create(
    tenant: string,
    spec: JobSpec & { prompt?: string | undefined },
    request: JobRequest,
  ): Promise<Job> {
    if (spec.prompt !== undefined && !isSegment(spec.prompt))
      throw new RegistryError(
        'bad_value',
        `${JSON.stringify(spec.prompt)} is no name for a prompt`,
      );
    const id = await this.#requests.reserve(tenant, request, (jobId) =>
      this.#isOver(tenant, jobId),
    );
    const known = await this.#find(tenant, id);
    const document = known ?? (await this.#create(tenant, id, spec));
    if (document.value.sent !== null) return document.value;
    return (await this.#dispatch.tell(document)).value;
  }

  /**
   * The job that the same request has made already, as `create` would give it.
   * @throws RegistryError `idempotency_mismatch`
   */
  async made(tenant: string, request: JobRequest): Promise<Job | undefined> {
    const id = await this.#requests.find(tenant, request, (jobId) => this.#isOver(tenant, jobId));
    return id === undefined ? undefined : (await this.#find(tenant, id))?.value;
  }

  /** @throws RegistryError `job_not_found` */
  async get(tenant: string, id: string): Promise<Job> {
    const document = await this.#require(tenant, id);
    return (await this.#dispatch.remind(document)).value;
  }

  /** Newest first. With `metadata`, those that have all its pairs among the next 2,000 jobs or so. */
  async list(
    tenant: string,
    {
      limit,
      after,
      metadata = {},
    }: PageOptions & { metadata?: Readonly<Record<string, string>> | undefined },
  ): Promise<Page<Job>> {
    const folder = folders.jobs(tenant);
    const wanted = Object.entries(metadata);
    const ids = this.#context.storage.listFolders(folder, behind(folder, after));
    return loadPage(ids, limit, async (id) => {
      const document = await this.#find(tenant, id);
      if (!document || !wanted.every(([key, value]) => document.value.metadata[key] === value))
        return undefined;
      return (await this.#dispatch.remind(document)).value;
    });
  }

  /**
   * A job that is at work, or has saved its state, is cancelled by its worker, which keeps the best version so far.
   * @throws RegistryError `job_not_found`, `job_finished` (unless it is cancelled already)
   */
  cancel(tenant: string, id: string): Promise<Job> {
    return this.#control(tenant, id, cancelled, 'Cancellation requested');
  }

  /** @throws RegistryError `job_not_found`, `job_finished`, `job_state` */
  pause(tenant: string, id: string): Promise<Job> {
    return this.#control(tenant, id, paused, 'Pause requested');
  }

  /** @throws RegistryError `job_not_found`, `job_finished`, `job_state` */
  resume(tenant: string, id: string): Promise<Job> {
    return this.#control(tenant, id, resumed, 'Resumed');
  }

  /** @throws RegistryError `job_not_found` */
  async addEvent(tenant: string, id: string, event: NewJobEvent): Promise<void> {
    await this.#require(tenant, id);
    await this.#events.add(tenant, id, event);
  }

  /** Newest first; `after` is the sequence number of the last one of the page before. */
  async events(
    tenant: string,
    id: string,
    page: { limit: number; after?: number | undefined },
  ): Promise<Page<NumberedEvent>> {
    await this.#require(tenant, id);
    return this.#events.page(tenant, id, page);
  }

  /** Events in order, from behind number `after` on, as they come, until the job has ended or `signal` aborts. */
  async *follow(
    tenant: string,
    id: string,
    { after = 0, signal }: { after?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<NumberedEvent> {
    let document: Document<Job> | undefined = await this.#require(tenant, id);
    for (let last = after; document && !signal?.aborted; ) {
      // Whatever was added before the end is there when the end is.
      const ended = isFinished(document.value.status);
      for await (const event of this.#events.behind(tenant, id, last)) {
        if (signal?.aborted) return;
        last = event.sequence;
        yield event;
      }
      if (ended) return;
      await this.#sleep(FOLLOW_MS, signal);
      document = await this.#documents.refresh(document);
    }
  }

  /** Newest first; `after` is the step of the last one of the page before. */
  async checkpoints(
    tenant: string,
    id: string,
    { limit, after = Number.POSITIVE_INFINITY }: { limit: number; after?: number | undefined },
  ): Promise<Page<JobCheckpoint>> {
    const { checkpoints } = (await this.#require(tenant, id)).value;
    return slicePage(checkpoints.toReversed(), limit, ({ step }) => step < after);
  }

  /**
   * For workers: takes a job that the queue told about. A job that was taken `maxAttempts` times without getting
   * ahead is failed here.
   * @returns `busy`: another worker has it, give the message back; `done`: nothing to do, remove the message
   */
  async take(tenant: string, id: string, workerId: string): Promise<JobHandle | 'busy' | 'done'> {
    const found = await this.#find(tenant, id);
    return found ? this.#taking.take(found, workerId) : 'done';
  }

  /**
   * For the sweep: lets go of slots that nothing needs, tells the queue again about jobs that seem forgotten, and
   * forgets requests that are too old to be repeated.
   */
  async tidy(tenant: string): Promise<{ reminded: number; forgotten: number }> {
    let reminded = 0;
    for (const id of (await this.#slots.tidy(tenant)).unfinished) {
      const document = await this.#find(tenant, id);
      if (document && (await this.#dispatch.remind(document)) !== document) reminded++;
    }
    return { reminded, forgotten: await this.#requests.forget(tenant) };
  }

  /**
   * For the sweep: removes the states of jobs that have ended, which a worker leaves that dies, or loses its job, at
   * the wrong moment.
   * @returns how many
   */
  async forgetStates(tenant: string): Promise<number> {
    let removed = 0;
    for await (const id of this.#context.storage.listFolders(`${folders.checkpoints}${tenant}/`)) {
      const job = (await this.#find(tenant, id))?.value;
      if (job && isFinished(job.status)) removed += await this.#ending.removeStates(tenant, id);
    }
    return removed;
  }

  async #create(
    tenant: string,
    id: string,
    { prompt = id, ...spec }: JobSpec & { prompt?: string | undefined },
  ): Promise<Document<Job>> {
    await this.#slots.take(tenant, id);
    await this.#files.use(tenant, spec.trainingFile, id);
    if (spec.validationFile !== null) await this.#files.use(tenant, spec.validationFile, id);
    const now = this.#context.clock.now();
    const key = jobKeys(tenant, id).document;
    try {
      const document = await this.#documents.create(key, {
        ...spec,
        id,
        tenant,
        prompt,
        status: 'validating_files',
        wanted: 'run',
        created: now,
        updated: now,
        finished: null,
        trainedTokens: null,
        estimatedFinish: null,
        progress: null,
        checkpoints: [],
        result: null,
        error: null,
        fence: 0,
        worker: null,
        attempts: 0,
        saved: null,
        sent: null,
      });
      await this.#events.add(tenant, id, {
        level: 'info',
        message: `Created fine-tuning job: ${id}`,
      });
      return document;
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'exists') throw error;
      return this.#require(tenant, id);
    }
  }

  async #isOver(tenant: string, id: string): Promise<boolean> {
    const status = (await this.#find(tenant, id))?.value.status;
    return status === 'failed' || status === 'cancelled';
  }

  async #control(
    tenant: string,
    id: string,
    change: (job: Job, now: number) => Job | undefined,
    message: string,
  ): Promise<Job> {
    const now = this.#context.clock.now();
    let document = await this.#require(tenant, id);
    if (change(document.value, now)) {
      await this.#events.add(tenant, id, { level: 'info', message });
      document = await this.#documents.update(document.key, (job) => change(job, now));
    }
    if (isFinished(document.value.status)) await this.#ending.settle(document.value);
    else if (document.value.sent === null) document = await this.#dispatch.tell(document);
    return document.value;
  }

  async #require(tenant: string, id: string): Promise<Document<Job>> {
    const found = await this.#find(tenant, id);
    if (!found) throw new RegistryError('job_not_found', `no job "${id}"`);
    return found;
  }

  async #find(tenant: string, id: string): Promise<Document<Job> | undefined> {
    return isId('ftjob', id) ? this.#documents.read(jobKeys(tenant, id).document) : undefined;
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = this.#context.clock.after(ms, wake);
      signal?.addEventListener('abort', wake);
      if (signal?.aborted) wake();
    });
  }
}
