import { describe, expect, it } from 'vitest';
import { dropoutMask, gaussian, permutation, randomStream } from './random.ts';

describe('randomStream', () => {
  it('is a function of seed, purpose and counter', () => {
    const draw = (seed: number, purpose: string, counter: number) => {
      const random = randomStream(seed, purpose, counter);
      return [random(), random(), random()];
    };
    expect(draw(1, 'dropout', 7)).toEqual(draw(1, 'dropout', 7));
    const others = [draw(2, 'dropout', 7), draw(1, 'batches', 7), draw(1, 'dropout', 8)];
    for (const other of others) expect(other).not.toEqual(draw(1, 'dropout', 7));
  });

  it('is uniform, also over the first numbers of neighbouring streams', () => {
    const means = [
      mean(Array.from({ length: 20_000 }, randomStream(5, 'x'))),
      mean(Array.from({ length: 20_000 }, (_, i) => randomStream(5, 'x', i)())),
    ];
    for (const value of means) expect(Math.abs(value - 0.5)).toBeLessThan(0.02);
  });
});

describe('draws', () => {
  it('has the asked mean and deviation', () => {
    const values = [...gaussian(20_001, 0.02, randomStream(1, 'g'))];
    expect(values).toHaveLength(20_001);
    expect(Math.abs(mean(values))).toBeLessThan(1e-3);
    expect(Math.sqrt(mean(values.map((x) => x * x)))).toBeCloseTo(0.02, 3);
  });

  it('keeps the mean under dropout', () => {
    const mask = [...dropoutMask(20_000, 0.25, randomStream(1, 'd'))];
    expect(mean(mask)).toBeCloseTo(1, 1);
    expect(new Set(mask.map((x) => x.toFixed(4)))).toEqual(new Set(['0.0000', '1.3333']));
    expect([...dropoutMask(3, 0, randomStream(1, 'd'))]).toEqual([1, 1, 1]);
  });

  it('permutes', () => {
    const order = permutation(50, randomStream(9, 'p'));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });
});

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
