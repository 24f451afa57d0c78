import { ServingError } from './errors.ts';

export interface ServingLimits {
  /** Inputs of one request. */
  readonly inputs: number;
  /** Rows of one request, where contexts are read in windows. */
  readonly requestRows: number;
  /** Inputs admitted and not yet answered, of all tenants. */
  readonly pendingInputs: number;
  /** Inputs admitted and not yet answered, of one tenant: a burst leaves room for the others. */
  readonly tenantInputs: number;
  /** Time a request has, unless it says so itself. */
  readonly deadlineMs: number;
  /** Time a prompt has to load. */
  readonly loadMs: number;
  /** Prompts kept in memory, per worker. */
  readonly cacheBytes: number;
  /** Rows of one batch. */
  readonly batchRows: number;
  /** Tokens of one batch, padding included; a row that is longer runs alone. */
  readonly batchTokens: number;
  /** Memory of the prompts and label scores of one batch, each padded to the largest; one that is larger runs alone. */
  readonly batchBytes: number;
  /** Share of a batch that may be padding, from 0 up to 1. */
  readonly batchPadding: number;
}

export const SERVING_LIMITS: ServingLimits = {
  inputs: 128,
  requestRows: 16_384,
  pendingInputs: 2048,
  tenantInputs: 1024,
  deadlineMs: 10_000,
  loadMs: 30_000,
  cacheBytes: 512 * 1024 ** 2,
  batchRows: 32,
  batchTokens: 2048,
  batchBytes: 256 * 1024 ** 2,
  batchPadding: 0.25,
};

/**
 * The defaults with `limits` over them.
 * @throws ServingError `bad_option` naming the limit, its value and its range
 */
export function withDefaults(limits: Partial<ServingLimits> = {}): ServingLimits {
  const all = { ...SERVING_LIMITS, ...limits };
  const { batchPadding, ...counts } = all;
  if (!(batchPadding >= 0 && batchPadding < 1)) {
    throw badLimit('batchPadding', batchPadding, 'a number from 0 up to, not including, 1');
  }
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw badLimit(name, value, 'a whole number of at least 1');
    }
  }
  for (const name of ['tenantInputs', 'pendingInputs'] as const) {
    if (all[name] < all.inputs) {
      throw badLimit(name, all[name], `at least limits.inputs (${all.inputs})`);
    }
  }
  return all;
}

function badLimit(name: string, value: number, range: string): ServingError {
  return new ServingError('bad_option', `limits.${name} is ${value}; it must be ${range}`);
}
