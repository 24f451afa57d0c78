import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONFUSION_LABELS, scorePairs } from '../metrics/classification.ts';
import { evaluateTexts } from './evaluate.ts';
import type { TextExample } from './types.ts';

const example = (gold: string | undefined, language?: string): TextExample => ({
  input: { text: 'x' },
  gold,
  language,
  line: 1,
});
const answer = (label: string) => [{ label, score: 1 }];
const evaluate = (rows: readonly (readonly [gold: string, best: string, language?: string])[]) =>
  evaluateTexts(
    rows.map(([gold, , language]) => example(gold, language)),
    rows.map(([, best]) => answer(best)),
    ['a', 'b', 'c'],
  );

describe('evaluateTexts', () => {
  // gold a: 2 right, 1 as b; gold b: 1 right; gold c: 1 as a, 1 as b.
  const rows = [
    ['a', 'a', 'en'],
    ['a', 'a', 'fi'],
    ['a', 'b', 'fi'],
    ['b', 'b', 'en'],
    ['c', 'a', 'en'],
    ['c', 'b'],
  ] as const;

  it('computes by hand what is in the textbook', () => {
    const result = evaluate(rows);
    expect(result.examples).toBe(6);
    expect(result.confusion).toEqual([
      [2, 1, 0],
      [0, 1, 0],
      [1, 1, 0],
    ]);
    expect(result.perLabel).toEqual([
      { label: 'a', precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3, predicted: 3 },
      { label: 'b', precision: 1 / 3, recall: 1, f1: 0.5, support: 1, predicted: 3 },
      { label: 'c', precision: 0, recall: 0, f1: 0, support: 2, predicted: 0 },
    ]);
    expect(result.metrics.accuracy).toBe(0.5);
    expect(result.metrics.f1_macro).toBeCloseTo((2 / 3 + 0.5 + 0) / 3, 12);
  });

  it('scores each language that the data names, over the labels that occur in it', () => {
    const { languages } = evaluate(rows);
    expect(Object.keys(languages)).toEqual(['en', 'fi']);
    expect(languages.en).toMatchObject({ examples: 3, metrics: { accuracy: 2 / 3 } });
    // Finnish has a and b only: F1 of a is 2/3, of b 0.
    expect(languages.fi!.metrics).toEqual({ accuracy: 0.5, f1_macro: 1 / 3 });
    expect(languages.fi!.confusion).toHaveLength(3);
  });

  it('is all zeros, not NaN, where there is nothing', () => {
    const result = evaluate([]);
    expect(result.metrics).toEqual({ accuracy: 0, f1_macro: 0 });
    expect(result.languages).toEqual({});
    expect(result.perLabel[0]).toMatchObject({ precision: 0, recall: 0, f1: 0, support: 0 });
  });

  it('counts a gold label that the prompt does not know as wrong', () => {
    const result = evaluate([
      ['a', 'a'],
      ['new', 'a'],
    ]);
    expect(result.metrics.accuracy).toBe(0.5);
    expect(result.perLabel.map(({ label }) => label)).toEqual(['a', 'b', 'c', 'new']);
    expect(result.confusion![3]).toEqual([1, 0, 0, 0]);
  });

  it('scores any number of unknown labels, without a square of them', () => {
    const result = evaluate([
      ['a', 'a'],
      ...Array.from({ length: 20_000 }, (_, i) => [`new ${i}`, 'a'] as const),
    ]);
    expect(result.perLabel).toHaveLength(20_003);
    expect(result.perLabel[0]).toMatchObject({ support: 1, predicted: 20_001, recall: 1 });
    expect(result.confusion).toBeUndefined();
    const most = Array.from({ length: CONFUSION_LABELS }, (_, i) => String(i));
    expect(scorePairs([], most).confusion).toHaveLength(CONFUSION_LABELS);
    expect(scorePairs([], [...most, 'one more'])).not.toHaveProperty('confusion');
  });

  it('refuses answers that do not fit the examples', () => {
    expect(() => evaluateTexts([example('a')], [], ['a'])).toThrow(
      expect.objectContaining({ code: 'length_mismatch' }),
    );
    for (const [gold, best] of [
      ['a', 'unheard of'],
      [undefined, 'a'],
    ] as const) {
      expect(() => evaluateTexts([example(gold)], [answer(best)], ['a'])).toThrow(
        expect.objectContaining({ code: 'unknown_label' }),
      );
    }
    expect(() => evaluateTexts([example('a')], [[]], ['a'])).toThrow('no label');
  });
});

describe('scorePairs', () => {
  const labels = ['a', 'b', 'c', 'd'];
  const index = fc.nat({ max: labels.length - 1 });
  const pairs = fc.array(fc.tuple(index, index), { maxLength: 60 });
  const total = (matrix: readonly (readonly number[])[]) =>
    matrix.flat().reduce((a, b) => a + b, 0);

  it('accuracy is the trace of the confusion matrix over its total', () => {
    fc.assert(
      fc.property(pairs, (sample) => {
        const { confusion, metrics, examples } = scorePairs(sample, labels);
        const trace = confusion!.reduce((sum, row, i) => sum + row[i]!, 0);
        expect(total(confusion!)).toBe(sample.length);
        expect(metrics.accuracy).toBe(examples === 0 ? 0 : trace / total(confusion!));
      }),
    );
  });

  it('does not depend on the order of the examples', () => {
    fc.assert(
      fc.property(pairs, (sample) => {
        expect(scorePairs(sample.toReversed(), labels)).toEqual(scorePairs(sample, labels));
      }),
    );
  });

  it('does not depend on the order of the labels', () => {
    fc.assert(
      fc.property(pairs, (sample) => {
        const last = labels.length - 1;
        const mirrored = sample.map(
          ([gold, predicted]) => [last - gold, last - predicted] as const,
        );
        const [one, other] = [
          scorePairs(sample, labels),
          scorePairs(mirrored, labels.toReversed()),
        ];
        expect(other.perLabel.toReversed()).toEqual(one.perLabel);
        expect(other.metrics.accuracy).toBe(one.metrics.accuracy);
        expect(other.metrics.f1_macro).toBeCloseTo(one.metrics.f1_macro, 12);
      }),
    );
  });

  it('swaps precision and recall when gold and predicted swap', () => {
    fc.assert(
      fc.property(pairs, (sample) => {
        const swapped = sample.map(([gold, predicted]) => [predicted, gold] as const);
        const [one, other] = [scorePairs(sample, labels), scorePairs(swapped, labels)];
        expect(other.perLabel.map(({ recall, f1 }) => [recall, f1])).toEqual(
          one.perLabel.map(({ precision, f1 }) => [precision, f1]),
        );
      }),
    );
  });

  it('keeps every score between 0 and 1, and F1 the harmonic mean', () => {
    fc.assert(
      fc.property(pairs, (sample) => {
        const { metrics, perLabel } = scorePairs(sample, labels);
        const scores = perLabel.flatMap(({ precision, recall, f1 }) => [precision, recall, f1]);
        for (const score of [...Object.values(metrics), ...scores]) {
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1);
        }
        for (const { precision: p, recall: r, f1 } of perLabel) {
          expect(f1).toBeCloseTo(p + r === 0 ? 0 : (2 * p * r) / (p + r), 12);
        }
      }),
    );
  });
});
