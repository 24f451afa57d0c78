import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseNullThreshold, evaluateQuestions } from './evaluate.ts';
import { bestNullThreshold } from './null-threshold.ts';
import type { QuestionAnswer, QuestionExample } from './types.ts';

const example = (gold: readonly string[], language?: string): QuestionExample => ({
  input: { question: 'q', context: 'c' },
  gold: gold.map((text) => ({ text, start: 0 })),
  language,
  line: 1,
});

/** An answer given without "there is none" among the choices. */
function said(answer: string, score = 0.5, nullScore = 0): QuestionAnswer {
  const span = { answer, score, start: 0, end: [...answer].length };
  return { answers: [span], span, nullScore, handlesImpossible: false, nullThreshold: 0 };
}

describe('evaluateQuestions', () => {
  it('takes the closest gold answer and the mean over the questions', () => {
    const { metrics, examples } = evaluateQuestions(
      [example(['Paris', 'the city of Paris']), example(['one two']), example(['x'])],
      [said('city of Paris'), said('two'), said('y')],
    );
    expect(examples).toBe(3);
    expect(metrics.exact_match).toBeCloseTo(1 / 3, 12);
    expect(metrics.f1).toBeCloseTo((1 + 2 / 3) / 3, 12);
  });

  it('scores languages apart, by their own words where the metric says so', () => {
    const { metrics, languages } = evaluateQuestions(
      [example(['北京大学'], 'zh'), example(['der Rhein'], 'de'), example(['x'])],
      [said('北京大'), said('Rhein'), said('x')],
    );
    expect(Object.keys(languages)).toEqual(['de', 'zh']);
    expect(languages.zh!.metrics).toMatchObject({ f1: 0, f1_language: expect.closeTo(6 / 7, 9) });
    expect(languages.de!.metrics).toMatchObject({
      exact_match: 0,
      f1: expect.closeTo(2 / 3, 9),
      exact_match_language: 1,
      f1_language: 1,
    });
    expect(metrics.exact_match).toBeCloseTo(1 / 3, 9);
  });

  it('has the empty answer of v1.1 wrong in F1 and right in exact match', () => {
    const { metrics } = evaluateQuestions([example(['the'])], [said('a')]);
    expect(metrics).toMatchObject({ exact_match: 1, f1: 0 });
  });

  it('goes by SQuAD 2.0 where a question is impossible', () => {
    const { metrics } = evaluateQuestions(
      [example(['x']), example(['x']), example([]), example([])],
      [said('x', 0.6, 0.1), said('x', 0.2, 0.7), said('y', 0.1, 0.8), said('y', 0.9, 0.05)],
    );
    expect(metrics).toMatchObject({
      exact_match: 0.5,
      f1: 0.5,
      f1_answerable: 0.5,
      accuracy_impossible: 0.5,
      // Margins: -1.8, 1.25, 2.08, -2.9; only the third must be left unanswered.
      f1_best: 0.75,
    });
    expect(metrics.f1_best_threshold).toBeGreaterThan(Math.log(0.7 / 0.2));
    expect(metrics.f1_best_threshold).toBeLessThan(Math.log(0.8 / 0.1));
  });

  it('believes answers that were given with "there is none" among the choices', () => {
    const none = { answer: '', score: 0.3, start: 0, end: 0 };
    const given = (first: 'none' | 'span'): QuestionAnswer => {
      const answer = said('x', 0.4, 0.5);
      const answers = first === 'none' ? [none] : answer.answers;
      return { ...answer, answers, handlesImpossible: true };
    };
    const gold = [example(['x']), example([])];
    const all = (first: 'none' | 'span') =>
      evaluateQuestions(gold, [given(first), given(first)]).metrics;
    expect(all('span')).toMatchObject({ f1_answerable: 1, accuracy_impossible: 0 });
    expect(all('none')).toMatchObject({ f1_answerable: 0, accuracy_impossible: 1 });
  });

  it('is all zeros, not NaN, where there is nothing', () => {
    expect(evaluateQuestions([], [])).toEqual({
      examples: 0,
      impossible: 0,
      metrics: { exact_match: 0, f1: 0, exact_match_language: 0, f1_language: 0 },
      languages: {},
    });
  });

  it('refuses answers that do not fit the examples', () => {
    expect(() => evaluateQuestions([example(['x'])], [])).toThrow(
      expect.objectContaining({ code: 'length_mismatch' }),
    );
    expect(() => evaluateQuestions([{ ...example([]), gold: undefined }], [said('x')])).toThrow(
      expect.objectContaining({ code: 'unknown_label' }),
    );
  });

  it('gives finite numbers for any scores', () => {
    const probability = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constant(0));
    const row = fc.tuple(
      fc.subarray(['x', 'y']),
      fc.constantFrom('x', 'y', 'z'),
      probability,
      probability,
    );
    fc.assert(
      fc.property(fc.array(row, { maxLength: 8 }), (rows) => {
        const { metrics } = evaluateQuestions(
          rows.map(([gold]) => example(gold)),
          rows.map(([, answer, score, nullScore]) => said(answer, score, nullScore)),
        );
        for (const value of Object.values(metrics)) expect(value).toSatisfy(Number.isFinite);
        if (metrics.f1_best !== undefined) {
          expect(metrics.f1_best).toBeGreaterThanOrEqual(metrics.f1 - 1e-12);
        }
      }),
    );
  });
});

describe('chooseNullThreshold', () => {
  const four = [example(['x']), example(['x']), example([]), example([])];
  const answers = (nullThreshold: number) =>
    [said('x', 0.6, 0.1), said('x', 0.2, 0.7), said('y', 0.1, 0.8), said('y', 0.9, 0.05)].map(
      (answer) => ({ ...answer, nullThreshold }),
    );

  it('gives the answers that score best', () => {
    const chosen = chooseNullThreshold(evaluateQuestions(four, answers(0)))!;
    const { metrics } = evaluateQuestions(four, answers(chosen.nullThreshold!));
    expect(metrics.f1).toBe(metrics.f1_best);
    expect(metrics.f1).toBe(0.75);
    // Margins do not depend on the threshold that was in use, so neither does the choice.
    expect(metrics.f1_best_threshold).toBe(chosen.nullThreshold);
  });

  it('needs questions with an answer and questions without', () => {
    const choice = (gold: readonly QuestionExample[]) =>
      chooseNullThreshold(evaluateQuestions(gold, answers(0).slice(0, gold.length)));
    expect(choice([example(['x']), example(['x'])])).toBeUndefined();
    expect(choice([example([]), example([])])).toBeUndefined();
    expect(choice([])).toBeUndefined();
    expect(choice(four)).toBeDefined();
  });
});

describe('bestNullThreshold', () => {
  const judged = fc.array(
    fc.record({
      impossible: fc.boolean(),
      spanF1: fc.constantFrom(0, 0.5, 1),
      margin: fc.integer({ min: -4, max: 4 }),
    }),
    { minLength: 1, maxLength: 10 },
  );

  it('is as good as the best of all thresholds, and does what it says', () => {
    fc.assert(
      fc.property(judged, (rows) => {
        const all = rows.map((row) => ({ ...row, spanF1: row.impossible ? 0 : row.spanF1 }));
        const f1With = (threshold: number) =>
          all.reduce(
            (sum, { impossible, spanF1, margin }) =>
              sum + (margin > threshold ? Number(impossible) : spanF1),
            0,
          ) / all.length;
        const { threshold, f1 } = bestNullThreshold(all);
        const every = Array.from({ length: 21 }, (_, i) => -5 + i / 2);
        expect(f1).toBeCloseTo(Math.max(...every.map(f1With)), 12);
        expect(f1With(threshold)).toBeCloseTo(f1, 12);
      }),
    );
  });
});
