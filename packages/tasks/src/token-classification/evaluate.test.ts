import { describe, expect, it } from 'vitest';
import { evaluateTagged } from './evaluate.ts';
import type { TaggedExample, TaggingAnswer } from './types.ts';
import { wordsOf } from './words.ts';

const NER = ['B-LOC', 'I-LOC', 'B-PER', 'I-PER', 'O'];
const POS = ['CCONJ', 'NOUN', 'SCONJ', 'VERB'];

const words = (tags: string) => tags.split(' ');
const answerOf = (input: TaggedExample['input'], tags: string): TaggingAnswer => ({
  words: wordsOf(input).spans,
  tags: words(tags),
  scores: [],
  entities: [],
});
function evaluate(pairs: [gold: string, found: string, language?: string][], labels = NER) {
  const examples = pairs.map(([gold, , language], i): TaggedExample => {
    const tokens = words(gold).map((_, word) => `w${word}`);
    return { input: { tokens }, gold: { tags: words(gold) }, language, line: i + 1 };
  });
  const answers = pairs.map(([, found], i) => answerOf(examples[i]!.input, found));
  return evaluateTagged(examples, answers, labels);
}

describe('spans', () => {
  it('count where label and both ends are right', () => {
    const {
      metrics,
      perLabel,
      words: count,
    } = evaluate([
      ['B-PER I-PER O B-LOC', 'B-PER I-PER O O'],
      ['O O B-LOC', 'O B-LOC I-LOC'],
    ]);
    expect(metrics.precision).toBe(1 / 2);
    expect(metrics.recall).toBe(1 / 3);
    expect(metrics.f1).toBeCloseTo(0.4, 12);
    expect(metrics.accuracy).toBe(4 / 7);
    expect(metrics).not.toHaveProperty('f1_seqeval_bare');
    expect(count).toBe(7);
    expect(perLabel.map(({ label, f1, support }) => [label, f1, support])).toEqual([
      ['LOC', 0, 2],
      ['PER', 1, 1],
    ]);
  });

  it('count per language', () => {
    const { languages, examples } = evaluate([
      ['B-PER', 'B-PER', 'de'],
      ['B-PER', 'O', 'ar'],
      ['B-PER', 'B-PER'],
    ]);
    expect(examples).toBe(3);
    expect(Object.keys(languages)).toEqual(['ar', 'de']);
    expect(languages.de!.metrics.f1).toBe(1);
    expect(languages.ar!.metrics.f1).toBe(0);
  });

  it('are compared by their place in a text', () => {
    const input = { text: 'In New York, Anna' };
    const gold = {
      spans: [
        { start: 3, end: 11, label: 'LOC' },
        { start: 13, end: 17, label: 'PER' },
      ],
    };
    const example: TaggedExample = { input, gold, language: undefined, line: 1 };
    const { metrics } = evaluateTagged([example], [answerOf(input, 'O B-LOC I-LOC O O')], NER);
    expect(metrics).toMatchObject({ precision: 1, recall: 1 / 2, accuracy: 4 / 5 });
  });

  it('of labels that the prompt does not know count as not found', () => {
    expect(evaluate([['B-X O', 'O O']]).perLabel).toMatchObject([{ label: 'X', recall: 0 }]);
  });
});

describe('bare tags', () => {
  it('count word by word, and as the spans that seqeval sees in them', () => {
    const { metrics, perLabel } = evaluate([['NOUN NOUN VERB', 'NOUN VERB VERB']], POS);
    expect(metrics.accuracy).toBe(2 / 3);
    expect(metrics.f1).toBeCloseTo(2 / 3, 12);
    expect(metrics.f1_seqeval_bare).toBe(0);
    expect(perLabel).toMatchObject([
      { label: 'NOUN', precision: 1, recall: 1 / 2, support: 2 },
      { label: 'VERB', precision: 1 / 2, recall: 1, support: 1 },
    ]);
  });

  it('the two conjunctions are one to seqeval', () => {
    const { metrics } = evaluate([['CCONJ VERB', 'SCONJ VERB']], POS);
    expect(metrics).toMatchObject({ accuracy: 1 / 2, f1_seqeval_bare: 1 });
  });
});

it('refuses answers that do not belong to the examples', () => {
  expect(() => evaluate([['O O', 'O']])).toThrow('1 tags for the 2 words of line 1');
  expect(() => evaluateTagged([], [answerOf({ tokens: ['a'] }, 'O')], NER)).toThrow(
    '1 answers for 0',
  );
  const unlabelled = { input: { tokens: ['a'] }, gold: undefined, language: undefined, line: 3 };
  expect(() => evaluateTagged([unlabelled], [answerOf(unlabelled.input, 'O')], NER)).toThrow(
    'line 3',
  );
});

it('gives zero, never NaN, where there is nothing', () => {
  expect(evaluateTagged([], [], NER).metrics).toEqual({
    precision: 0,
    recall: 0,
    f1: 0,
    f1_macro: 0,
    accuracy: 0,
  });
});
