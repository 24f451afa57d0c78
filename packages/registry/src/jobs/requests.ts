/**
 * Makes the creation of jobs repeatable: a request reserves the id of its job before the job is made, so whoever
 * repeats it, at the same time or after a crash in between, makes that job or finds it.
 */
import { type Documents, StorageError } from '@polyprompt/storage';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { RegistryError } from '../errors.ts';
import { requestFolder, requestKey } from '../layout.ts';

const Reservation = z.object({
  jobId: z.string(),
  bodyHash: z.string(),
  created: z.int().nonnegative(),
});
type Reservation = z.infer<typeof Reservation>;

export interface JobRequest {
  /** Of everything that was asked for. */
  readonly bodyHash: string;
  readonly idempotencyKey?: string | undefined;
}

/** Whether a job has ended without success. */
type IsOver = (jobId: string) => Promise<boolean>;

/** How long the same key means the same request. */
const KEY_WINDOW_MS = 24 * 3600_000;
/** How long the same body without a key is taken for a client that tries again. */
const BODY_WINDOW_MS = 60_000;

export class JobRequests {
  readonly #context: Context;
  readonly #documents: Documents<Reservation>;

  constructor(context: Context) {
    this.#context = context;
    this.#documents = context.storage.documents(Reservation);
  }

  /**
   * @param isOver whether a job has ended without success: without a key, the same body then means a new job
   * @returns the id of the job that this request makes, or made before
   * @throws RegistryError `idempotency_mismatch`
   */
  async reserve(tenant: string, request: JobRequest, isOver: IsOver): Promise<string> {
    const { key, known, valid, now } = await this.#look(tenant, request, isOver);
    return this.#same(request, valid ?? (await this.#replace(key, known, request.bodyHash, now)));
  }

  /** The same without reserving anything. @returns undefined for a request that was not made before */
  async find(tenant: string, request: JobRequest, isOver: IsOver): Promise<string | undefined> {
    const { valid } = await this.#look(tenant, request, isOver);
    return valid && this.#same(request, valid);
  }

  /** Removes what no request can mean any more. @returns how many */
  async forget(tenant: string): Promise<number> {
    let forgotten = 0;
    for await (const { key } of this.#context.storage.list(requestFolder(tenant))) {
      const document = await this.#documents.read(key);
      if (!document || this.#context.clock.now() - document.value.created < KEY_WINDOW_MS) continue;
      await this.#documents.remove(document).catch((error) => {
        // The same request was just made again.
        if (!(error instanceof StorageError) || error.code !== 'conflict') throw error;
      });
      forgotten++;
    }
    return forgotten;
  }

  async #look(tenant: string, { bodyHash, idempotencyKey }: JobRequest, isOver: IsOver) {
    const named = idempotencyKey !== undefined;
    const key = requestKey(tenant, named ? `key ${idempotencyKey}` : `body ${bodyHash}`);
    const now = this.#context.clock.now();
    const known = (await this.#documents.read(key))?.value;
    const isValid =
      known !== undefined &&
      now - known.created < (named ? KEY_WINDOW_MS : BODY_WINDOW_MS) &&
      (named || !(await isOver(known.jobId)));
    return { key, now, known, valid: isValid ? known : undefined };
  }

  #same({ bodyHash, idempotencyKey }: JobRequest, reservation: Reservation): string {
    if (reservation.bodyHash === bodyHash) return reservation.jobId;
    throw new RegistryError(
      'idempotency_mismatch',
      `the idempotency key ${JSON.stringify(idempotencyKey)} was used for another request; take a new one`,
    );
  }

  async #replace(
    key: string,
    known: Reservation | undefined,
    bodyHash: string,
    created: number,
  ): Promise<Reservation> {
    const fresh = { jobId: this.#context.ids.next('ftjob'), bodyHash, created };
    const { value } = await this.#documents.upsert(key, (current) =>
      current === undefined || current.jobId === known?.jobId ? fresh : current,
    );
    return value;
  }
}
