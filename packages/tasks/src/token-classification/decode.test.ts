import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestTags } from './decode.ts';
import { normaliseTags } from './scheme.ts';

const LABELS = ['B-A', 'I-A', 'B-B', 'I-B', 'O'];
const decode = (words: (readonly number[] | undefined)[], labels: readonly string[] = LABELS) =>
  bestTags(words, labels).map((index) => labels[index]!);
/** Almost all probability on some tags. */
const sure = (weights: Record<string, number>) => LABELS.map((label) => weights[label] ?? 0.001);

describe('bestTags', () => {
  it('takes the best tag of every word where that is valid', () => {
    expect(decode([sure({ 'B-A': 1 }), sure({ 'I-A': 1 }), sure({ O: 1 })])).toEqual([
      'B-A',
      'I-A',
      'O',
    ]);
  });

  it('finds the most probable valid sequence where it is not', () => {
    expect(decode([sure({ O: 0.9 }), sure({ 'I-A': 0.5, 'B-A': 0.4 })])).toEqual(['O', 'B-A']);
    // The second word is so sure that the first one must have begun the span.
    expect(decode([sure({ O: 0.5, 'B-A': 0.4 }), sure({ 'I-A': 0.99 })])).toEqual(['B-A', 'I-A']);
    expect(decode([sure({ 'B-A': 0.9 }), sure({ 'I-B': 0.5, 'I-A': 0.4 })])).toEqual([
      'B-A',
      'I-A',
    ]);
  });

  it('lets a word without tokens go with its neighbours', () => {
    expect(decode([sure({ 'B-A': 1 }), undefined, sure({ 'I-A': 1 })])).toEqual([
      'B-A',
      'I-A',
      'I-A',
    ]);
    expect(decode([sure({ O: 1 }), undefined, sure({ 'B-A': 1 })])).toEqual(['O', 'O', 'B-A']);
    expect(decode([undefined])).toEqual(['O']);
  });

  it('compares bare tags word by word', () => {
    expect(decode([[0.1, 0.9], [0.6, 0.4], undefined], ['NOUN', 'VERB'])).toEqual([
      'VERB',
      'NOUN',
      'NOUN',
    ]);
    expect(decode([])).toEqual([]);
  });

  const distribution = fc
    .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 })
    .map((weights) => weights.map((weight) => Math.max(weight, 1e-6)));

  it('is valid and no worse than any other valid sequence', () => {
    const all = (length: number): string[][] =>
      length === 0
        ? [[]]
        : all(length - 1).flatMap((tags) => LABELS.map((label) => [...tags, label]));
    const valid = (tags: readonly string[]) => normaliseTags(tags, 'IOB2').invalid.length === 0;
    const candidates = [1, 2, 3].map((length) => all(length).filter(valid));
    fc.assert(
      fc.property(fc.array(distribution, { minLength: 1, maxLength: 3 }), (words) => {
        const tags = decode(words);
        expect(valid(tags)).toBe(true);
        const score = (sequence: readonly string[]) =>
          sequence.reduce((sum, tag, i) => sum + Math.log(words[i]![LABELS.indexOf(tag)]!), 0);
        const best = Math.max(...candidates[words.length - 1]!.map(score));
        expect(score(tags)).toBeCloseTo(best, 9);
      }),
    );
  });
});
