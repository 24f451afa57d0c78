import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byLength, epochBatches, withinBudget } from './batches.ts';

const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 400 });

describe('epochBatches', () => {
  it('uses every example once and fills every batch but those at the end of a pool', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 40 }), fc.nat(), (all, size, seed) => {
        const batches = epochBatches(all, size, seed, 0);
        expect(batches.flat().sort((a, b) => a - b)).toEqual(all.map((_, i) => i));
        expect(batches).toHaveLength(Math.ceil(all.length / size));
      }),
    );
  });

  it('depends on seed and epoch only', () => {
    const all = Array.from({ length: 100 }, (_, i) => (i * 37) % 50);
    expect(epochBatches(all, 8, 3, 5)).toEqual(epochBatches(all, 8, 3, 5));
    expect(epochBatches(all, 8, 3, 5)).not.toEqual(epochBatches(all, 8, 3, 6));
    expect(epochBatches(all, 8, 3, 5)).not.toEqual(epochBatches(all, 8, 4, 5));
  });

  it('pads less than batches in random order would', () => {
    const all = Array.from({ length: 640 }, (_, i) => 1 + ((i * 7919) % 100));
    const padded = epochBatches(all, 16, 1, 0).reduce(
      (sum, batch) => sum + batch.length * Math.max(...batch.map((i) => all[i]!)),
      0,
    );
    const tokens = all.reduce((a, b) => a + b, 0);
    expect(padded / tokens).toBeLessThan(1.2);
  });
});

describe('withinBudget', () => {
  it('keeps the order and the budget, except for single rows that exceed it', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 2000 }), (all, budget) => {
        const rows = all.map((length, at) => ({ ids: new Array<number>(length).fill(0), at }));
        const groups = withinBudget(rows, budget);
        expect(groups.flat()).toEqual(rows);
        for (const group of groups) {
          const padded = group.length * Math.max(...group.map(({ ids }) => ids.length));
          expect(group.length === 1 || padded <= budget).toBe(true);
        }
      }),
    );
  });
});

describe('byLength', () => {
  it('keeps every row, within the budget, with little padding in each group', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 16, max: 5000 }), (all, budget) => {
        const rows = all.map((length, at) => ({ at, ids: new Array<number>(length) }));
        const groups = byLength(rows, budget);
        expect(groups.flatMap((group) => group.map(({ at }) => at)).sort((a, b) => a - b)).toEqual(
          all.map((_, i) => i),
        );
        for (const group of groups) {
          const sizes = group.map(({ ids }) => ids.length);
          const longest = Math.max(...sizes);
          if (group.length > 1) expect(longest * group.length).toBeLessThanOrEqual(budget);
          const padding = sizes.reduce((sum, size) => sum + longest - size, 0);
          expect(padding).toBeLessThanOrEqual(128);
        }
      }),
    );
  });
});
