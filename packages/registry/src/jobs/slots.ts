/**
 * Which jobs of a tenant have not ended, in one document: it limits how many there are, and tells the sweep where
 * to look. A job is in it before it is created and until after it has ended; what a crash left too long is taken
 * out by whoever needs the room.
 */
import { type Documents, jobKeys } from '@polyprompt/storage';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { RegistryError } from '../errors.ts';
import { slotsKey } from '../layout.ts';
import { Job } from './job.ts';
import { isFinished } from './transition.ts';

/** Since when, by job id. */
const Slots = z.record(z.string(), z.int().nonnegative());
type Slots = z.infer<typeof Slots>;

/** A job that was not created so long after it took its slot never will be. */
const CREATION_MS = 60_000;

export class JobSlots {
  readonly #context: Context;
  readonly #limit: number;
  readonly #slots: Documents<Slots>;
  readonly #jobs: Documents<Job>;

  constructor(context: Context, limit: number) {
    this.#context = context;
    this.#limit = limit;
    this.#slots = context.storage.documents(Slots);
    this.#jobs = context.storage.documents(Job);
  }

  /** Repeatable. @throws RegistryError `too_many_jobs` */
  async take(tenant: string, id: string): Promise<void> {
    const full = Symbol('full');
    for (;;) {
      const now = this.#context.clock.now();
      try {
        await this.#slots.upsert(slotsKey(tenant), (slots = {}) => {
          if (id in slots) return slots;
          if (Object.keys(slots).length >= this.#limit) throw full;
          return { ...slots, [id]: now };
        });
        return;
      } catch (error) {
        if (error !== full) throw error;
      }
      if ((await this.tidy(tenant)).freed === 0) throw this.#tooMany(tenant);
    }
  }

  async free(tenant: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0 || !(await this.#slots.read(slotsKey(tenant)))) return;
    await this.#slots.update(slotsKey(tenant), (slots) =>
      ids.some((id) => id in slots)
        ? Object.fromEntries(Object.entries(slots).filter(([id]) => !ids.includes(id)))
        : undefined,
    );
  }

  /** Frees the slots of jobs that have ended or were never made. @returns how many, and the jobs that remain */
  async tidy(tenant: string): Promise<{ freed: number; unfinished: readonly string[] }> {
    const slots = (await this.#slots.read(slotsKey(tenant)))?.value ?? {};
    const over: string[] = [];
    const unfinished: string[] = [];
    const found = await Promise.all(
      Object.entries(slots).map(async ([id, since]) => {
        const job = await this.#jobs.read(jobKeys(tenant, id).document);
        return { id, since, status: job?.value.status };
      }),
    );
    for (const { id, since, status } of found) {
      const isOver =
        status === undefined ? this.#context.clock.now() - since > CREATION_MS : isFinished(status);
      if (isOver) over.push(id);
      else if (status !== undefined) unfinished.push(id);
    }
    await this.free(tenant, over);
    return { freed: over.length, unfinished };
  }

  #tooMany(tenant: string): RegistryError {
    return new RegistryError(
      'too_many_jobs',
      `tenant "${tenant}" has ${this.#limit} jobs that have not ended, the limit; wait for one or cancel one`,
    );
  }
}
