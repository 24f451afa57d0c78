import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sigmoid, softmax } from '../metrics/scores.ts';
import { classify } from './answer.ts';
import { textClassification } from './index.ts';

describe('classify', () => {
  const labels = ['a', 'b', 'c'];

  it('returns all labels, best first', () => {
    const answer = classify([0, Math.log(3), 0], labels);
    expect(answer.map(({ label }) => label)).toEqual(['b', 'a', 'c']);
    expect(answer[0]!.score).toBeCloseTo(0.6, 12);
    expect(answer[1]!.score).toBeCloseTo(0.2, 12);
  });

  it('applies the function that is asked for', () => {
    const logits = [0, -2, 5];
    const sigmoids = classify(logits, labels, { functionToApply: 'sigmoid' });
    expect(sigmoids[0]).toEqual({ label: 'c', score: 1 / (1 + Math.exp(-5)) });
    const raw = classify(logits, labels, { functionToApply: 'none' });
    expect(raw.map(({ score }) => score)).toEqual([5, 0, -2]);
  });

  it('returns the best topK', () => {
    expect(classify([1, 2, 3], labels, { topK: 2 }).map(({ label }) => label)).toEqual(['c', 'b']);
    expect(classify([1, 2, 3], labels, { topK: 9 })).toHaveLength(3);
  });

  it.each([
    ['too few logits', [1, 2], {}, 'bad_logits'],
    ['a NaN', [1, Number.NaN, 2], {}, 'bad_logits'],
    ['an infinity', [1, 2, Number.POSITIVE_INFINITY], {}, 'bad_logits'],
    ['no labels wanted', [1, 2, 3], { topK: 0 }, 'bad_option'],
    ['half a label wanted', [1, 2, 3], { topK: 1.5 }, 'bad_option'],
    ['an unknown function', [1, 2, 3], { functionToApply: 'relu' as 'none' }, 'bad_option'],
  ])('refuses %s', (_, logits, options, code) => {
    expect(() => classify(logits, labels, options)).toThrow(
      expect.objectContaining({ name: 'TaskError', code }),
    );
  });

  it('reads the only piece of an input', () => {
    const piece = { example: 0, ids: [], typeIds: [], logits: new Float32Array([0, 1, 2]) };
    const input = { text: 'x' };
    expect(textClassification.answer(input, [piece], labels)[0]!.label).toBe('c');
    expect(() => textClassification.answer(input, [piece, piece], labels)).toThrow('one piece');
  });
});

describe('softmax and sigmoid', () => {
  const logits = fc.array(fc.double({ min: -1e30, max: 1e30, noNaN: true }), { minLength: 1 });

  it('softmax sums to 1, keeps the order and does not overflow', () => {
    fc.assert(
      fc.property(logits, (values) => {
        const scores = softmax(values);
        expect(scores.reduce((a, b) => a + b)).toBeCloseTo(1, 9);
        for (const [i, value] of values.entries()) {
          expect(scores[i]!).toBeGreaterThanOrEqual(0);
          if (value > values[0]!) expect(scores[i]!).toBeGreaterThanOrEqual(scores[0]!);
        }
      }),
    );
  });

  it('softmax ignores a shift of all logits', () => {
    expect(softmax([1001, 1002])).toEqual(softmax([1, 2]));
  });

  it('sigmoid is symmetric and exact in its tails', () => {
    expect(sigmoid(0)).toBe(0.5);
    expect(sigmoid(-700)).toBe(Math.exp(-700));
    expect(sigmoid(-1e9)).toBe(0);
    expect(sigmoid(1e9)).toBe(1);
    fc.assert(
      fc.property(fc.double({ min: -800, max: 800, noNaN: true }), (x) => {
        expect(sigmoid(x) + sigmoid(-x)).toBeCloseTo(1, 12);
      }),
    );
  });
});
