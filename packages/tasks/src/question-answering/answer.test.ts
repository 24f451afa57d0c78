import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { softmax } from '../metrics/scores.ts';
import type { ScoredPiece } from '../task.ts';
import { spanEncoder as encoder } from '../testing/span-encoder.ts';
import { answerQuestion } from './answer.ts';
import { questionFeatures } from './features.ts';
import type { QuestionExample, QuestionOptions } from './types.ts';
import { encodeQuestions } from './windows.ts';

const limits = { maxTokens: 64, truncate: false };

interface Peak {
  /** Code point of the context, or null for the first token of the row. */
  readonly at: number | null;
  readonly start?: number;
  readonly end?: number;
}

/** The windows of a context, with logits of 0 except at some places (in every window that has them). */
async function scored(context: string, peaks: readonly Peak[], options?: QuestionOptions) {
  const { pieces } = await encodeQuestions([{ question: 'q', context }], encoder, limits, options);
  return pieces.map((piece): ScoredPiece => {
    const logits = new Float32Array(2 * piece.ids.length);
    for (const { at, start = 0, end = 0 } of peaks) {
      const token = at === null ? -piece.context.first : piece.context.starts.indexOf(at);
      if (at !== null && token < 0) continue;
      logits[2 * (piece.context.first + token)] = start;
      logits[2 * (piece.context.first + token) + 1] = end;
    }
    return { ...piece, logits };
  });
}

async function ask(context: string, peaks: readonly Peak[], options: QuestionOptions = {}) {
  const pieces = await scored(context, peaks, options);
  return answerQuestion({ question: 'q', context }, pieces, { alignToWords: false, ...options });
}

describe('the answer', () => {
  it('is the most probable span, as Hugging Face computes it', async () => {
    const { answers, nullScore, span } = await ask('abcd', [
      { at: 1, start: 3 },
      { at: 2, end: 2 },
      { at: null, start: 1, end: 1 },
    ]);
    // Softmax over the first token and the four of the context, start and end apart.
    const start = softmax([1, 0, 3, 0, 0])[2]!;
    const end = softmax([1, 0, 0, 2, 0])[3]!;
    expect(answers).toEqual([
      { answer: 'bc', start: 1, end: 3, score: expect.closeTo(start * end, 9) },
    ]);
    expect(span).toEqual(answers[0]);
    expect(nullScore).toBeCloseTo(softmax([1, 0, 3, 0, 0])[0]! * softmax([1, 0, 0, 2, 0])[0]!, 9);
  });

  it('never ends before it starts and keeps to its longest length', async () => {
    const peaks = [
      { at: 6, start: 9 },
      { at: 1, end: 9 },
    ];
    const { start, end } = (await ask('abcdefgh', peaks)).answers[0]!;
    expect(end).toBeGreaterThan(start);
    const far = [
      { at: 0, start: 9 },
      { at: 7, end: 9 },
    ];
    expect((await ask('abcdefgh', far)).answers[0]!.answer).toBe('abcdefgh');
    const short = (await ask('abcdefgh', far, { maxAnswerTokens: 3 })).answers[0]!;
    expect(short.answer.length).toBeLessThanOrEqual(3);
  });

  it('comes from any window, and is found at its place in the whole context', async () => {
    const context = `${'x'.repeat(200)}Yz${'x'.repeat(200)}`;
    const peaks = [
      { at: 200, start: 20 },
      { at: 201, end: 20 },
      { at: null, start: 8, end: 8 },
    ];
    const { answers, nullScore } = await ask(context, peaks);
    expect(answers[0]).toMatchObject({ answer: 'Yz', start: 200, end: 202 });
    expect(answers[0]!.score).toBeGreaterThan(0.99);
    // Windows without it are sure that it is not there; the least of their doubts counts.
    expect(nullScore).toBeLessThan(0.01);
  });

  it('adds up spans that read the same in one window, and takes the best of several windows', async () => {
    const peaks = [
      { at: 0, start: 4, end: 4 },
      { at: 4, start: 4, end: 4 },
    ];
    const { answers } = await ask('A...a...', peaks, { topK: 20 });
    const one = softmax([0, 4, 0, 0, 0, 4, 0, 0, 0])[1]!;
    const sum = answers.find(({ answer }) => answer.toLowerCase() === 'a')!;
    expect(sum.score).toBeCloseTo(2 * one * one, 9);
    expect(answers.filter(({ answer }) => answer.toLowerCase() === 'a')).toHaveLength(1);

    const long = `${'x'.repeat(70)}Y${'x'.repeat(60)}`;
    const twice = await ask(long, [{ at: 70, start: 30, end: 30 }], { docStride: 30 });
    expect(twice.answers[0]!.answer).toBe('Y');
    expect(twice.answers[0]!.score).toBeLessThanOrEqual(1);
  });

  it('gives topK of them, best first, all different', async () => {
    const { answers } = await ask('abcde', [{ at: 2, start: 2, end: 1 }], { topK: 5 });
    expect(answers).toHaveLength(5);
    const scores = answers.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(new Set(answers.map(({ answer }) => answer)).size).toBe(5);
  });

  it('is an exact slice of the context by code points, whatever the script', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.nat(),
        fc.nat(),
        fc.boolean(),
        async (context, a, b, alignToWords) => {
          const size = [...context].length;
          const peaks = [
            { at: a % size, start: 9 },
            { at: b % size, end: 9 },
          ];
          const options = { topK: 4, alignToWords };
          for (const { answer, start, end, score } of (await ask(context, peaks, options))
            .answers) {
            expect([...context].slice(start, end).join('')).toBe(answer);
            expect(score).toBeGreaterThanOrEqual(0);
            expect(score).toBeLessThanOrEqual(1);
          }
        },
      ),
    );
  });
});

describe('"there is none"', () => {
  const sure = [{ at: null, start: 9, end: 9 }];
  const none = { answer: '', start: 0, end: 0 };

  it('is no answer unless asked for', async () => {
    const { answers, nullScore } = await ask('abc', sure);
    expect(nullScore).toBeGreaterThan(0.99);
    expect(answers[0]!.answer).not.toBe('');
  });

  it('is one where asked for, among the others by its score', async () => {
    const { answers, span } = await ask('abc', sure, { handleImpossible: true, topK: 2 });
    expect(answers[0]).toMatchObject(none);
    expect(answers[1]).toEqual({ ...span, score: expect.closeTo(span!.score, 12) });
    const unsure = await ask('abc', [{ at: 1, start: 9, end: 9 }], {
      handleImpossible: true,
      topK: 100,
    });
    expect(unsure.answers[0]!.answer).toBe('b');
    expect(unsure.answers.at(-1)).toBeDefined();
    expect(unsure.answers.filter(({ answer }) => answer === '')).toHaveLength(1);
  });

  it('wins by more than the threshold', async () => {
    const peaks = [
      { at: null, start: 3, end: 3 },
      { at: 1, start: 2, end: 2 },
    ];
    // Log probabilities differ by the logits: 6 - 4.
    const said = async (nullThreshold: number) =>
      (await ask('abc', peaks, { handleImpossible: true, nullThreshold })).answers[0]!.answer;
    expect(await said(0)).toBe('');
    expect(await said(1.99)).toBe('');
    expect(await said(2.01)).toBe('b');
    expect(await said(-5)).toBe('');
  });

  it('has the probability of odds that the threshold divides, and the spans theirs', async () => {
    const peaks = [
      { at: null, start: 3, end: 3 },
      { at: 1, start: 2, end: 2 },
    ];
    const said = async (nullThreshold: number) =>
      await ask('abc', peaks, { handleImpossible: true, nullThreshold, topK: 100 });
    const plain = await said(0);
    const { nullScore } = plain;
    expect(plain.answers[0]).toEqual({ ...none, score: expect.closeTo(nullScore, 12) });
    expect(plain.answers[1]!.score).toBeCloseTo(plain.span!.score, 12);
    for (const nullThreshold of [-3, -0.5, 0.5, 3]) {
      const { answers } = await said(nullThreshold);
      const score = answers.find(({ answer }) => answer === '')!.score;
      const odds = (p: number) => p / (1 - p);
      expect(odds(score)).toBeCloseTo(odds(nullScore) / Math.exp(nullThreshold), 9);
      const factor = (1 - score) / (1 - nullScore);
      const best = answers.find(({ answer }) => answer === 'b')!;
      expect(best.score).toBeCloseTo(plain.span!.score * factor, 9);
    }
  });

  it('keeps scores sorted probabilities, whatever logits and threshold', async () => {
    const logit = fc.integer({ min: -150, max: 150 });
    const anywhere = fc.oneof(
      fc.integer({ min: -2000, max: 2000 }),
      fc.double({ min: -9, max: 9, noNaN: true }),
    );
    await fc.assert(
      fc.asyncProperty(logit, logit, anywhere, async (start, end, nullThreshold) => {
        const peaks = [
          { at: null, start, end },
          { at: 1, start: end, end: start },
        ];
        const { answers, span, nullScore } = await ask('abc', peaks, {
          ...{ handleImpossible: true, nullThreshold, topK: 9 },
        });
        const scores = answers.map(({ score }) => score);
        expect(scores).toEqual([...scores].sort((a, b) => b - a));
        for (const score of scores) expect(score).toSatisfy((p: number) => p >= 0 && p <= 1);
        const margin = Math.log(nullScore) - Math.log(span!.score);
        fc.pre(Math.abs(margin - nullThreshold) > 1e-6 && Math.abs(nullThreshold) < 700);
        expect(answers[0]!.answer === '').toBe(margin > nullThreshold);
      }),
    );
  });

  it('is the only answer to a context without tokens', async () => {
    const { answers, span, nullScore } = await ask(' ', []);
    expect(answers).toEqual([{ ...none, score: 1 }]);
    expect(span).toBeUndefined();
    expect(nullScore).toBe(1);
  });
});

describe('whole words', () => {
  /** The answer when the one character at `at` is all that the model points to. */
  const around = async (context: string, at: number) => {
    const peaks = [{ at, start: 30, end: 30 }];
    const { answers } = await ask(context, peaks, { alignToWords: true });
    return answers[0]!.answer;
  };

  it.each([
    ['the Nile flows', 5, 'Nile'],
    ['in Paris, France', 3, 'Paris'],
    ['it is 3.14 long', 6, '3.14'],
    ["they don't know", 6, "don't"],
    ['wait (here)', 6, 'here'],
    ['नमस्ते दुनिया', 8, 'दुनिया'],
    ['في المدينة الكبيرة', 5, 'المدينة'],
    ['我住在北京大学附近', 3, '北京'],
    ['私は東京に住んでいます', 2, '東京'],
    ['ฉันอยู่ที่ประเทศไทย', 12, 'ประเทศไทย'],
    ['a 👩‍👩‍👧 family', 10, 'family'],
    ['x = y + z', 2, '='],
  ])('%s at %d: %s', async (context, at, word) => {
    expect(await around(context, at)).toBe(word);
  });

  it('hold in a text without any space', async () => {
    const filler = '我们在公园里散步。'.repeat(60);
    const context = `${filler}北京大学${filler}`;
    expect(await around(context, filler.length + 1)).toBe('北京');
  });

  it('never make an answer shorter', async () => {
    const { answers } = await ask(
      'of New York City now',
      [
        { at: 4, start: 9 },
        { at: 12, end: 9 },
      ],
      { alignToWords: true },
    );
    expect(answers[0]!.answer).toBe('New York City');
  });
});

describe('wrong use', () => {
  it.each([
    [{ topK: 0 }, 'topK is 0'],
    [{ maxAnswerTokens: 1.5 }, 'maxAnswerTokens is 1.5'],
    [{ nullThreshold: Number.NaN }, 'nullThreshold is NaN'],
  ])('%j is refused', async (options, message) => {
    await expect(ask('abc', [], options)).rejects.toThrow(
      expect.objectContaining({ code: 'bad_option', message: expect.stringContaining(message) }),
    );
  });

  it('logits that do not fit, or are none, are refused', async () => {
    const [piece] = await scored('abc', []);
    const input = { question: 'q', context: 'abc' };
    const bad = expect.objectContaining({ code: 'bad_logits' });
    expect(() => answerQuestion(input, [])).toThrow(bad);
    expect(() => answerQuestion(input, [{ ...piece!, logits: new Float32Array(3) }])).toThrow(bad);
    const nan = piece!.logits.map(() => Number.NaN);
    expect(() => answerQuestion(input, [{ ...piece!, logits: nan }])).toThrow(bad);
  });
});

describe('training targets', () => {
  const example = (context: string, text: string | null, start = 0): QuestionExample => ({
    input: { question: 'q', context },
    gold: text === null ? [] : [{ text, start }],
    language: undefined,
    line: 1,
  });
  const features = (examples: readonly QuestionExample[], maxTokens = 64) =>
    questionFeatures(examples, [], encoder, { maxTokens, truncate: false });

  it('are the tokens of the answer', async () => {
    const { features: rows, issues } = await features([example('ab cd ef', 'cd', 3)]);
    expect(issues).toEqual([]);
    const [{ ids, target }] = rows as [(typeof rows)[0]];
    expect(String.fromCodePoint(...ids.slice(target.start, target.end + 1))).toBe('cd');
  });

  it('are the first token for impossible questions and in windows without the whole answer', async () => {
    const { features: rows } = await features([example('abcdefghij', 'def', 3)], 9);
    // Windows of four with two in common: abcd, cdef, efgh, ghij.
    const found = rows.map(({ ids, target }) =>
      target.end === 0 ? null : String.fromCodePoint(...ids.slice(target.start, target.end + 1)),
    );
    expect(found).toEqual([null, 'def', null, null]);
    const impossible = await features([example('abc', null)]);
    expect(impossible.features.map(({ target }) => target)).toEqual([{ start: 0, end: 0 }]);
  });

  it('give back every answer from the logits that they ask for', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(text, fc.nat(), fc.nat({ max: 9 }), async (context, at, length) => {
        const characters = [...context];
        const start = at % characters.length;
        const answer = characters.slice(start, start + 1 + length).join('');
        fc.pre(answer.trim() === answer);
        const made = await features([example(context, answer, start)], 40);
        expect(made.issues).toEqual([]);
        const pieces = made.features.map(({ target, ...piece }): ScoredPiece => {
          const logits = new Float32Array(2 * piece.ids.length);
          logits[2 * target.start] = 50;
          logits[2 * target.end + 1] = 50;
          return { ...piece, logits };
        });
        const result = answerQuestion({ question: 'q', context }, pieces, { alignToWords: false });
        expect(result.answers[0]).toMatchObject({ answer, start, end: start + [...answer].length });
      }),
    );
  });

  it('are missing, with a reason, where no token stands for the answer or the context', async () => {
    const { features: rows, issues } = await features([
      example('a  b', '  ', 1),
      example('  ', ' ', 0),
      { ...example('a', 'a'), gold: undefined },
    ]);
    expect(rows).toEqual([]);
    expect(issues.map(({ code }) => code)).toEqual([
      'answer_without_tokens',
      'answer_without_tokens',
      'missing_answer',
    ]);
  });

  it('refuse a question longer than the window, by line, with tokens and limit', async () => {
    const long = {
      ...example('abcdef', 'a'),
      input: { question: 'q'.repeat(30), context: 'abcdef' },
    };
    const { features: rows, issues } = await features([long], 16);
    expect(rows).toEqual([]);
    expect(issues).toMatchObject([
      { code: 'too_many_tokens', severity: 'error', line: 1, tokens: 30, limit: 8 },
    ]);
    expect(issues[0]!.message).toContain('the question has 30 tokens');
  });
});
