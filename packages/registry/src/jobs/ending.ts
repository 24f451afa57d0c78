/** What a job holds and lets go of when it ends: its files, its tenant's slot, its saved states. */
import type { Context } from '../context.ts';
import type { Files } from '../files/files.ts';
import { statesOf } from '../layout.ts';
import type { Job } from './job.ts';
import type { JobSlots } from './slots.ts';
import { isFinished } from './transition.ts';

export class JobEnding {
  readonly #storage: Context['storage'];
  readonly #files: Files;
  readonly #slots: JobSlots;

  constructor({ storage }: Context, files: Files, slots: JobSlots) {
    this.#storage = storage;
    this.#files = files;
    this.#slots = slots;
  }

  /** Lets go of what a finished job used; repeatable. */
  async settle(job: Job): Promise<void> {
    if (!isFinished(job.status)) return;
    const { tenant, id, trainingFile, validationFile, saved } = job;
    await this.#files.endUse(tenant, trainingFile, id);
    if (validationFile !== null) await this.#files.endUse(tenant, validationFile, id);
    await this.#slots.free(tenant, [id]);
    if (saved) await this.removeStates(tenant, id);
  }

  /**
   * A worker that lost its lease may have left a state of its own beside the valid one.
   * @returns how many
   */
  async removeStates(tenant: string, id: string): Promise<number> {
    let removed = 0;
    for await (const { key } of this.#storage.list(statesOf(tenant, id))) {
      await this.#storage.blobs.remove(key);
      removed++;
    }
    return removed;
  }
}
