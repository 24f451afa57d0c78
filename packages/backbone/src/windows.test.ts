import { join } from 'node:path';
import fc from 'fast-check';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { writeTinyBackbone } from './testing/tiny-backbone.ts';
import { Tokenizer } from './tokenizer.ts';
import { truncateRows, windowRows } from './windows.ts';

const single = (content: number) => [-1, ...Array<number>(content).fill(0), -1];
const pair = (first: number, second: number) => [
  ...[-1, ...Array<number>(first).fill(0)],
  ...[-1, -1, ...Array<number>(second).fill(1), -1],
];

describe('truncateRows', () => {
  it('keeps the special tokens and drops the end of the text', () => {
    expect(truncateRows(single(6), 5)).toEqual([0, 1, 2, 3, 7]);
    expect(truncateRows(single(2), 5)).toEqual([0, 1, 2, 3]);
  });

  it('takes tokens from the longer text first', () => {
    expect(truncateRows(pair(2, 6), 9)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 11]);
    expect(truncateRows(pair(6, 2), 9)).toEqual([0, 1, 2, 3, 7, 8, 9, 10, 11]);
  });

  it('cuts single texts and pairs where the native library does', async () => {
    const dir = temporaryFolder();
    writeTinyBackbone(dir, { family: 'roberta' });
    const native = NativeTokenizer.fromFile(join(dir, 'tokenizer.json'));
    const tokenizer = Tokenizer.open(dir);
    const text = fc.stringMatching(/^[a-e]{1,12}$/);
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.option(text),
        fc.integer({ min: 6, max: 30 }),
        async (a, b, limit) => {
          native.setTruncation(limit);
          const expected = await native.encode(a, b);
          const ours = await tokenizer.encode(a, b ?? undefined, { truncateTo: limit });
          expect(ours.ids).toEqual(expected.getIds());
          expect(ours.truncated).toBe(expected.getOverflowing().length > 0);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('windowRows', () => {
  it('overlaps neighbouring windows by the stride', () => {
    expect(windowRows(single(7), 5, 1)).toEqual([
      [0, 1, 2, 3, 8],
      [0, 3, 4, 5, 8],
      [0, 5, 6, 7, 8],
    ]);
  });

  it('repeats the first text whole in front of every window of the second', () => {
    expect(windowRows(pair(1, 4), 7, 0)).toEqual([
      [0, 1, 2, 3, 4, 5, 8],
      [0, 1, 2, 3, 6, 7, 8],
    ]);
  });

  it('covers every token, in windows that are full up to the last one', () => {
    fc.assert(
      fc.property(
        fc.nat(5),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(11),
        (first, second, room, stride) => {
          fc.pre(stride < room);
          const sequences = first === 0 ? single(second) : pair(first, second);
          const limit = room + sequences.length - second;
          const windows = windowRows(sequences, limit, stride);
          expect(new Set(windows.flat()).size).toBe(sequences.length);
          for (const rows of windows.slice(0, -1)) expect(rows).toHaveLength(limit);
          expect(windows.at(-1)!.length).toBeLessThanOrEqual(limit);
          expect(windows).toHaveLength(Math.max(1, Math.ceil((second - stride) / (room - stride))));
        },
      ),
    );
  });

  it('refuses limits that leave no room or windows that would not advance', () => {
    const refusal = expect.objectContaining({ code: 'bad_option' });
    expect(() => truncateRows(single(6), 2)).toThrow(refusal);
    expect(() => truncateRows(single(6), 2.5)).toThrow('whole numbers');
    expect(() => truncateRows(single(6), Number.NaN)).toThrow(refusal);
    expect(() => windowRows(single(6), 5, 3)).toThrow(
      'leaves 3 for text after 2 fixed ones; it must leave more than the stride of 3',
    );
    expect(() => windowRows(pair(9, 6), 12, 0)).toThrow(refusal);
  });
});
