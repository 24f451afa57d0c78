/**
 * Telling the queue about jobs. What was changed in the store and could not be told, or was told and got lost, is
 * told again by whoever reads the job; a message too many does no harm (`Jobs.take`).
 */
import type { Document, Documents, Queue } from '@polyprompt/storage';
import type { Context } from '../context.ts';
import { isIdle } from './control.ts';
import { Job, type JobMessage } from './job.ts';

/** A change after which the queue was not told is told from this age on: its maker may still be about to. */
const UNSENT_MS = 5000;
/** A job that should be worked on and was not heard of for so long is told again. */
const SILENT_MS = 10 * 60_000;

export class JobDispatch {
  readonly #context: Context;
  readonly #queue: Pick<Queue<JobMessage>, 'send'>;
  readonly #documents: Documents<Job>;

  constructor(context: Context, queue: Pick<Queue<JobMessage>, 'send'>) {
    this.#context = context;
    this.#queue = queue;
    this.#documents = context.storage.documents(Job);
  }

  async tell(document: Document<Job>): Promise<Document<Job>> {
    const { tenant, id } = document.value;
    await this.#queue.send({ tenant, jobId: id });
    const sent = this.#context.clock.now();
    return this.#documents.update(document.key, (job) => ({ ...job, sent }));
  }

  /** Tells about a job that seems forgotten. Never fails: a job can be read while the queue is down. */
  async remind(document: Document<Job>): Promise<Document<Job>> {
    const { sent, updated } = document.value;
    const now = this.#context.clock.now();
    const due =
      sent === null ? now - updated > UNSENT_MS : now - Math.max(sent, updated) > SILENT_MS;
    if (!due || isIdle(document.value)) return document;
    return this.tell(document).catch(() => document);
  }
}
