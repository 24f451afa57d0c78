import { describe, expect, it } from 'vitest';
import { SERVING_LIMITS, withDefaults } from './limits.ts';

describe('withDefaults', () => {
  it('puts what is given over the defaults', () => {
    expect(withDefaults()).toEqual(SERVING_LIMITS);
    expect(withDefaults({ batchRows: 8 })).toEqual({ ...SERVING_LIMITS, batchRows: 8 });
  });

  it.each([
    [{ batchRows: 0 }, 'limits.batchRows is 0; it must be a whole number of at least 1'],
    [{ cacheBytes: 1.5 }, 'limits.cacheBytes is 1.5'],
    [{ deadlineMs: Number.NaN }, 'limits.deadlineMs is NaN'],
    [{ batchPadding: 1 }, 'limits.batchPadding is 1; it must be a number from 0 up to'],
    [{ batchPadding: Number.NaN }, 'limits.batchPadding is NaN'],
    [{ inputs: 5000 }, 'limits.tenantInputs is 1024; it must be at least limits.inputs (5000)'],
  ])('refuses %o', (limits, message) => {
    expect(() => withDefaults(limits)).toThrow(message);
  });
});
