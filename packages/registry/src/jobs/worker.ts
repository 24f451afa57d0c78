/**
 * A job in the hands of a worker. Two things keep other workers' hands off: the lease, and the fence, a number
 * that grows with every lease and that every write is checked against, so that a worker that lost its lease
 * without noticing changes nothing any more.
 */
import type { Readable } from 'node:stream';
import {
  type BlobBody,
  type Document,
  type Documents,
  type Lease,
  StorageError,
} from '@polyprompt/storage';
import type { Context } from '../context.ts';
import { RegistryError } from '../errors.ts';
import { stateKey } from '../layout.ts';
import { advance } from './control.ts';
import type { JobEvents } from './events.ts';
import type { Job, JobCheckpoint, JobFailure, JobResult, NewJobEvent, Wanted } from './job.ts';
import { isFinished } from './transition.ts';

/** How a worker ends its work on a job. */
export type JobOutcome =
  | { readonly status: 'succeeded'; readonly result: JobResult }
  | { readonly status: 'failed'; readonly error: JobFailure }
  /** `result` is the version of the best so far, if there was one. */
  | { readonly status: 'cancelled'; readonly result?: JobResult | null }
  | { readonly status: 'paused' };

/** What a worker may tell about a job. */
export type JobChange = Partial<
  Pick<Job, 'progress' | 'trainedTokens' | 'estimatedFinish' | 'hyperparameters'>
>;

interface HandleParts {
  readonly context: Context;
  readonly documents: Documents<Job>;
  readonly events: JobEvents;
  readonly lease: Lease;
  readonly document: Document<Job>;
  /** Tells the queue about the job. */
  readonly tell: (document: Document<Job>) => Promise<void>;
  /** Cleans up behind a finished job. */
  readonly settle: (job: Job) => Promise<void>;
}

/** How often the wishes of the user are looked up. */
const POLL_MS = 1000;
/** A job that reports nothing is touched this often, so that it does not look abandoned. */
const TOUCH_MS = 60_000;
const MAX_CHECKPOINTS = 1000;

/**
 * A job that this worker, and no other, works on. End with `finish` or `release`. After the lease is lost every
 * method throws RegistryError `lease_lost`.
 */
export class JobHandle {
  readonly #parts: HandleParts;
  readonly #stop = new AbortController();
  #document: Document<Job>;
  #ended = false;
  #cancelPoll: () => void = () => undefined;

  /** Made by `Jobs.take`. */
  constructor(parts: HandleParts) {
    this.#parts = parts;
    this.#document = parts.document;
    parts.lease.signal.addEventListener('abort', () => this.#lose());
    this.#heed();
    this.#poll();
  }

  /** As last read or written. */
  get job(): Job {
    return this.#document.value;
  }

  /** What the user wants, as of the last look (every second). */
  get wanted(): Wanted {
    return this.job.wanted;
  }

  /**
   * Aborted, with a RegistryError as reason, when the job is to be paused or cancelled (`stop_wanted`) or is no
   * longer ours (`lease_lost`).
   */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The files are sound: the job runs. */
  async validated(): Promise<void> {
    await this.#change((job) => ({ ...job, status: advance(job, 'validated') }));
  }

  /** Tells how far the job is; a write to the store, so not for every step. */
  async update(change: JobChange): Promise<Job> {
    return this.#change((job) => ({ ...job, ...change }));
  }

  async event(event: NewJobEvent): Promise<void> {
    this.#assertHeld();
    await this.#parts.events.add(this.job.tenant, this.job.id, event);
  }

  /** Adds an evaluation; one of the same step is replaced, so a resumed run may repeat itself. The oldest go when there are 1000. */
  async addCheckpoint({ step, metrics }: Omit<JobCheckpoint, 'created'>): Promise<void> {
    const checkpoint = { step, metrics, created: this.#parts.context.clock.now() };
    await this.#change((job) => {
      const others = job.checkpoints.filter((other) => other.step !== step);
      const checkpoints = [...others, checkpoint].sort((a, b) => a.step - b.step);
      return { ...job, checkpoints: checkpoints.slice(-MAX_CHECKPOINTS) };
    });
  }

  /**
   * Keeps the training state: whatever is needed to continue elsewhere. Complete or not at all. Each lease writes to
   * a key of its own, so a worker that lost its lease half-way damages nothing.
   */
  async saveState(body: BlobBody): Promise<void> {
    this.#assertHeld();
    const { context, lease } = this.#parts;
    const { tenant, id, saved } = this.job;
    await context.storage.blobs.put(stateKey(tenant, id, lease.fence), body);
    if (saved?.fence === lease.fence) return;
    await this.#change((job) => ({ ...job, saved: { fence: lease.fence }, attempts: 0 }));
    if (saved) await context.storage.blobs.remove(stateKey(tenant, id, saved.fence));
  }

  /** @returns the state saved last, by whichever worker; undefined when there is none */
  async loadState(): Promise<Readable | undefined> {
    const { tenant, id, saved } = this.job;
    if (!saved) return undefined;
    const reader = await this.#parts.context.storage.blobs.open(stateKey(tenant, id, saved.fence));
    return reader?.body;
  }

  /**
   * Ends the work; the queue's message can be removed then. A pause that the user has taken back meanwhile, or
   * turned into a cancellation, sends the job to the queue again.
   * @throws RegistryError `job_state` for success without `validated`
   */
  async finish(outcome: JobOutcome): Promise<Job> {
    const { clock } = this.#parts.context;
    const job = await this.#change((current) => end(current, outcome, clock.now()));
    await this.#close();
    if (isFinished(job.status)) await this.#parts.settle(job);
    else if (job.sent === null) await this.#parts.tell(this.#document);
    return job;
  }

  /** Gives the job back, as on shutdown; not counted as a crash. Give the message back too. */
  async release(): Promise<void> {
    try {
      await this.#change((job) => ({
        ...job,
        status: advance(job, 'give_back'),
        worker: null,
        attempts: Math.max(0, job.attempts - 1),
      }));
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'lease_lost') throw error;
    } finally {
      await this.#close();
    }
  }

  async #change(change: (job: Job) => Job): Promise<Job> {
    this.#assertHeld();
    const { context, documents, lease } = this.#parts;
    try {
      const changed = await documents.update(this.#document.key, (job) => {
        if (job.fence !== lease.fence || isFinished(job.status)) throw this.#lostError();
        return { ...change(job), updated: context.clock.now() };
      });
      this.#took(changed);
      return changed.value;
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'lease_lost') this.#lose();
      throw error;
    }
  }

  #poll(): void {
    const { clock } = this.#parts.context;
    this.#cancelPoll = clock.after(POLL_MS, async () => {
      // A failed look is repeated with the next one.
      await this.#look().catch(() => undefined);
      if (!this.#ended) this.#poll();
    });
  }

  async #look(): Promise<void> {
    const { context, documents, lease } = this.#parts;
    const current = await documents.refresh(this.#document);
    if (this.#ended) return;
    if (!current || current.value.fence !== lease.fence) return this.#lose();
    this.#took(current);
    if (context.clock.now() - this.job.updated >= TOUCH_MS) await this.#change((job) => job);
  }

  /** Answers may come in another order than the writes. */
  #took(document: Document<Job>): void {
    if (document.revision > this.#document.revision) this.#document = document;
    this.#heed();
  }

  /** Passes the user's wish on. */
  #heed(): void {
    if (this.wanted === 'run') return;
    this.#stop.abort(
      new RegistryError('stop_wanted', `job "${this.job.id}": the user wants to ${this.wanted} it`),
    );
  }

  #assertHeld(): void {
    if (this.#ended || !this.#parts.lease.held) throw this.#lostError();
  }

  #lose(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelPoll();
    this.#stop.abort(this.#lostError());
  }

  async #close(): Promise<void> {
    this.#ended = true;
    this.#cancelPoll();
    // Unreleased it would expire by itself.
    await this.#parts.lease.release().catch((error) => {
      if (!(error instanceof StorageError)) throw error;
    });
  }

  #lostError(): RegistryError {
    return new RegistryError(
      'lease_lost',
      `job "${this.#document.value.id}" is no longer worked on here (fence ${this.#parts.lease.fence})`,
    );
  }
}

function end(job: Job, outcome: JobOutcome, now: number): Job {
  const ended = { ...job, worker: null, estimatedFinish: null };
  switch (outcome.status) {
    case 'paused':
      if (job.wanted === 'run') return { ...ended, status: advance(job, 'give_back'), sent: null };
      return {
        ...ended,
        status: job.status === 'paused' ? 'paused' : advance(job, 'pause'),
        attempts: 0,
        ...(job.wanted === 'cancel' ? { sent: null } : {}),
      };
    case 'succeeded':
      return { ...ended, status: advance(job, 'succeed'), finished: now, result: outcome.result };
    case 'failed':
      return { ...ended, status: advance(job, 'fail'), finished: now, error: outcome.error };
    case 'cancelled':
      return {
        ...ended,
        status: advance(job, 'cancel'),
        finished: now,
        result: outcome.result ?? null,
      };
    default:
      return outcome satisfies never;
  }
}
