import { randomStream } from '@polyprompt/tuning';
import { describe, expect, it } from 'vitest';
import { rankCorrelation, spread } from './statistics.ts';

const random = () => randomStream(7, 'test');

describe('rankCorrelation', () => {
  it('knows a perfect order and its reverse, whatever the distances', () => {
    const x = [1, 2, 3, 4, 5, 6, 7];
    const same = rankCorrelation(x, [1, 10, 100, 101, 102, 103, 1e6], random());
    expect(same.rho).toBeCloseTo(1);
    expect(same.p).toBeLessThan(0.01);
    expect(rankCorrelation(x, [...x].reverse(), random()).rho).toBeCloseTo(-1);
  });

  it('gives ties their middle rank', () => {
    // Ranks 1 2.5 2.5 4 against 1 2 3 4: Pearson of these is sqrt(0.9).
    const { rho } = rankCorrelation([1, 2, 2, 3], [1, 2, 3, 4], random());
    expect(rho).toBeCloseTo(Math.sqrt(0.9));
  });

  it('finds nothing in an unrelated order', () => {
    const { rho, p, n } = rankCorrelation([1, 2, 3, 4, 5, 6], [2, 6, 3, 5, 1, 4], random());
    expect(n).toBe(6);
    expect(Math.abs(rho!)).toBeLessThan(0.5);
    expect(p).toBeGreaterThan(0.3);
  });

  it('has no value for too few points or equal ones', () => {
    expect(rankCorrelation([1, 2], [1, 2], random()).rho).toBeNull();
    expect(rankCorrelation([1, 1, 1], [1, 2, 3], random())).toEqual({ rho: null, n: 3, p: null });
  });
});

it('spreads over seeds by the sample deviation, which one seed does not have', () => {
  expect(spread([1, 2, 3])).toEqual({ mean: 2, deviation: 1, values: [1, 2, 3] });
  expect(spread([5]).deviation).toBeNull();
});
