import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseBatch } from './choose-batch.ts';

const limits = { batchRows: 4, batchTokens: 100, batchPadding: 0.25, batchBytes: 1000 };
const items = (...lengths: number[]) => lengths.map((tokens, id) => ({ id, tokens }));
const choose = (...lengths: number[]) =>
  chooseBatch(items(...lengths), limits).map(({ tokens }) => tokens);

describe('chooseBatch', () => {
  it('takes equal lengths in the order of their turn', () => {
    const ids = chooseBatch(items(10, 10, 10, 10, 10), limits).map(({ id }) => id);
    expect(ids).toEqual([0, 1, 2, 3]);
  });

  it('prefers rows of like length', () => {
    expect(choose(10, 30, 12, 9, 11, 40)).toEqual([10, 9, 11, 12]);
  });

  it('leaves out what would be mostly padding, though there is room', () => {
    expect(choose(40, 3, 4)).toEqual([40]);
    expect(choose(3, 40, 4)).toEqual([3, 4]);
  });

  it('lets a row over the token limit go alone', () => {
    expect(choose(500, 490, 1)).toEqual([500]);
  });

  it('keeps prompts that are padded to the largest within bytes, and small ones out of its company', () => {
    const weigh = (...bytes: number[]) =>
      chooseBatch(
        bytes.map((each) => ({ tokens: 10, bytes: each })),
        limits,
      ).map((item) => item.bytes);
    expect(weigh(1, 2, 3, 4)).toEqual([1, 2, 3, 4]);
    expect(weigh(400, 400, 400)).toEqual([400, 400]);
    expect(weigh(1, 300, 2, 300)).toEqual([1, 2]);
    expect(weigh(240, 1, 2, 3)).toEqual([240, 1]);
    expect(weigh(5000, 1, 5000)).toEqual([5000]);
  });

  it('always takes the first and keeps within rows, tokens and padding', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(lengths, (all) => {
        const batch = chooseBatch(items(...all), limits);
        expect(batch[0]).toEqual({ id: 0, tokens: all[0] });
        expect(new Set(batch.map(({ id }) => id)).size).toBe(batch.length);
        if (batch.length === 1) return;
        const padded = Math.max(...batch.map(({ tokens }) => tokens)) * batch.length;
        const sum = batch.reduce((total, { tokens }) => total + tokens, 0);
        expect(batch.length).toBeLessThanOrEqual(limits.batchRows);
        expect(padded).toBeLessThanOrEqual(limits.batchTokens);
        expect(padded - sum).toBeLessThanOrEqual(limits.batchPadding * padded);
      }),
    );
  });
});
