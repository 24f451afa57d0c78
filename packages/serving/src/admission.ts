/**
 * Who gets in: a count of the inputs at work in any stage, from the first look at a request to its
 * answer. Being full is told at once, never by waiting, and one tenant cannot fill the place alone.
 */
import { ServingError } from './errors.ts';
import type { ServingLimits } from './limits.ts';

type Limits = Pick<ServingLimits, 'inputs' | 'pendingInputs' | 'tenantInputs'>;

export class Admission {
  readonly #limits: Limits;
  readonly #byTenant = new Map<string, number>();
  #pending = 0;
  #refused = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /**
   * Lets `count` inputs of a tenant in.
   * @returns what to call, once, when they are done
   * @throws ServingError `too_many_inputs` or `overloaded`
   */
  enter(tenant: string, count: number): () => void {
    const { inputs, pendingInputs, tenantInputs } = this.#limits;
    if (count > inputs) {
      throw new ServingError(
        'too_many_inputs',
        `${count} inputs in one request, the limit is ${inputs}; split them over several requests`,
      );
    }
    const own = this.#byTenant.get(tenant) ?? 0;
    if (own + count > tenantInputs) {
      throw this.#refuse(`${own} inputs of this tenant are at work, the limit is ${tenantInputs}`);
    }
    if (this.#pending + count > pendingInputs) {
      throw this.#refuse(`${this.#pending} inputs are at work, the limit is ${pendingInputs}`);
    }
    this.#add(tenant, count);
    return () => this.#add(tenant, -count);
  }

  stats(): { readonly pending: number; readonly refused: number } {
    return { pending: this.#pending, refused: this.#refused };
  }

  #add(tenant: string, count: number): void {
    const own = (this.#byTenant.get(tenant) ?? 0) + count;
    if (own === 0) this.#byTenant.delete(tenant);
    else this.#byTenant.set(tenant, own);
    this.#pending += count;
  }

  #refuse(why: string): ServingError {
    this.#refused++;
    return new ServingError('overloaded', `${why}; try again`);
  }
}
