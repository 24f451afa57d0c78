import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AliasTarget } from './document.ts';
import { choose, pointOf } from './split.ts';

const canary = (weight: number): AliasTarget => ({
  split: [
    { version: 1, weight: 100 - weight },
    { version: 2, weight },
  ],
});
const callers = Array.from({ length: 10_000 }, (_, i) => pointOf('acme/topics@production', `${i}`));

describe('a split', () => {
  it.each([1, 10, 50, 99])('gives %i %% of the callers the canary', (weight) => {
    const share = callers.filter((point) => choose(canary(weight), point) === 2).length / 100;
    expect(Math.abs(share - weight)).toBeLessThan(1.5);
  });

  it('that grows keeps the callers that it has', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 98 }),
        fc.integer({ min: 1, max: 99 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (small, large, point) => {
          fc.pre(large >= small);
          if (choose(canary(small), point) === 2) expect(choose(canary(large), point)).toBe(2);
        },
      ),
    );
  });

  it('gives a caller the same side always, but not the same on every alias', () => {
    expect(pointOf('a', 'user-1')).toBe(pointOf('a', 'user-1'));
    const sides = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) =>
      choose(canary(50), pointOf(key, 'u')),
    );
    expect(new Set(sides)).toEqual(new Set([1, 2]));
  });

  it('covers every point', () => {
    expect(choose(canary(10), 0)).toBe(1);
    expect(choose(canary(10), 1 - Number.EPSILON)).toBe(2);
    expect(choose({ version: 7 }, 0.5)).toBe(7);
  });
});
