/** How much of large bodies and files is in memory at a time, so that many at once do not end the process. */
import { ApiError } from '@polyprompt/contract';

const RETRY_MS = 2000;

export class HeldBytes {
  readonly #limit: number;
  readonly #byTenant = new Map<string, number>();
  #total = 0;

  /** @param limit of all tenants; one may have half of it */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * @param run calls `count` for what it takes; all of it counts until `run` is done
   * @throws ApiError `overloaded`, from `count`
   */
  async hold<T>(tenant: string, run: (count: (bytes: number) => void) => Promise<T>): Promise<T> {
    let own = 0;
    try {
      return await run((bytes) => {
        if (this.#total + bytes > this.#limit || this.#of(tenant) + bytes > this.#limit / 2) {
          const message = 'too much data is being read already; try again';
          throw ApiError.tooMany('overloaded', message, RETRY_MS);
        }
        own += bytes;
        this.#add(tenant, bytes);
      });
    } finally {
      this.#add(tenant, -own);
    }
  }

  #of(tenant: string): number {
    return this.#byTenant.get(tenant) ?? 0;
  }

  #add(tenant: string, bytes: number): void {
    this.#total += bytes;
    const own = this.#of(tenant) + bytes;
    if (own === 0) this.#byTenant.delete(tenant);
    else this.#byTenant.set(tenant, own);
  }
}
