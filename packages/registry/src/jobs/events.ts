/**
 * The events of a job: immutable objects, numbered from 1 without gaps. Anybody may add one; who loses the race
 * for a number takes the next.
 */
import { jobKeys, StorageError } from '@polyprompt/storage';
import type { Context } from '../context.ts';
import { loadPage, type Page } from '../page.ts';
import { JobEvent, NewJobEvent, type NumberedEvent } from './job.ts';

/** Jobs whose newest number is remembered. */
const REMEMBERED = 1000;

export class JobEvents {
  readonly #context: Context;
  /** The newest number known by job folder, so that finding the end need not list from the start. */
  readonly #known = new Map<string, number>();

  constructor(context: Context) {
    this.#context = context;
  }

  async add(tenant: string, jobId: string, event: NewJobEvent): Promise<void> {
    const keys = jobKeys(tenant, jobId);
    const created = this.#context.clock.now();
    const body = JSON.stringify(JobEvent.parse({ ...NewJobEvent.parse(event), created }));
    for (let sequence = this.#known.get(keys.folder) ?? 0; ; ) {
      sequence++;
      try {
        await this.#context.storage.blobs.create(keys.event(sequence), body);
        this.#remember(keys.folder, sequence);
        return;
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== 'exists') throw error;
        // Others have been here: jump to the end instead of trying one number after the other.
        sequence = await this.#last(tenant, jobId, sequence);
      }
    }
  }

  /** Newest first, those before number `after`. */
  async page(
    tenant: string,
    jobId: string,
    { limit, after }: { limit: number; after?: number | undefined },
  ): Promise<Page<NumberedEvent>> {
    const last = await this.#last(tenant, jobId);
    const newest = Math.min(last, (after ?? Number.POSITIVE_INFINITY) - 1);
    const numbers = Array.from({ length: Math.max(0, Math.min(limit + 1, newest)) }, (_, i) =>
      String(newest - i),
    );
    return loadPage(numbers, limit, (number) => this.#read(tenant, jobId, Number(number)));
  }

  /** In order, those behind number `after` that are there now. */
  async *behind(tenant: string, jobId: string, after: number): AsyncGenerator<NumberedEvent> {
    for await (const number of this.#numbers(tenant, jobId, after)) {
      const event = await this.#read(tenant, jobId, number);
      if (event) yield event;
    }
  }

  async #last(tenant: string, jobId: string, known = 0): Promise<number> {
    const { folder } = jobKeys(tenant, jobId);
    let last = Math.max(known, this.#known.get(folder) ?? 0);
    for await (const number of this.#numbers(tenant, jobId, last)) last = number;
    this.#remember(folder, last);
    return last;
  }

  async *#numbers(tenant: string, jobId: string, after: number): AsyncGenerator<number> {
    const { events, event } = jobKeys(tenant, jobId);
    const options = after > 0 ? { after: event(after) } : {};
    for await (const { key } of this.#context.storage.list(events, options))
      yield Number(key.slice(events.length));
  }

  async #read(tenant: string, jobId: string, sequence: number): Promise<NumberedEvent | undefined> {
    const bytes = await this.#context.storage.blobs.read(jobKeys(tenant, jobId).event(sequence));
    return bytes && { ...JobEvent.parse(JSON.parse(bytes.toString())), sequence };
  }

  #remember(folder: string, sequence: number): void {
    const known = this.#known.get(folder) ?? 0;
    this.#known.delete(folder);
    this.#known.set(folder, Math.max(known, sequence));
    if (this.#known.size > REMEMBERED) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest!);
    }
  }
}
