import { describe, expect, it } from 'vitest';
import { TaskError } from '../errors.ts';
import type { ScoredPiece } from '../task.ts';
import { answerTagged } from './answer.ts';
import type { TaggingOptions } from './types.ts';

const LABELS = ['B-LOC', 'I-LOC', 'B-PER', 'I-PER', 'O'];

/** One token per word part; `sure` says which label it favours and how much. */
function piece(
  parts: readonly (readonly [
    word: number,
    offset: readonly [number, number],
    label: string,
    logit?: number,
  ])[],
  labels: readonly string[],
  causal = false,
): ScoredPiece {
  const logits = parts.flatMap(([, , favoured, logit = 5]) =>
    labels.map((label) => (label === favoured ? logit : 0)),
  );
  const edge = labels.map(() => 0);
  return {
    example: 0,
    ids: [0, ...parts.map((_, i) => i + 3), 2],
    typeIds: Array(parts.length + 2).fill(0),
    causal,
    logits: Float32Array.from([...edge, ...logits, ...edge]),
    spans: {
      rows: [0, ...parts.map((_, i) => i + 1), parts.length + 1],
      offsets: [[0, 0], ...parts.map(([, offset]) => offset), [0, 0]],
      sequenceIds: [null, ...parts.map(() => 0), null],
      wordIds: [null, ...parts.map(([word]) => word), null],
    },
  };
}

// New York and Anna Mart|inez, Oslo
const TOKENS = ['New', 'York', 'and', 'Anna', 'Martinez', 'Oslo'];
const PARTS = [
  [0, [0, 3], 'B-LOC'],
  [1, [4, 8], 'I-LOC'],
  [2, [9, 12], 'O'],
  [3, [13, 17], 'B-PER'],
  [4, [18, 22], 'I-PER'],
  [4, [22, 26], 'O', 8],
  [5, [27, 31], 'B-LOC'],
] as const;
const ask = (options: TaggingOptions = {}, causal = false) =>
  answerTagged({ tokens: TOKENS }, [piece(PARTS, LABELS, causal)], LABELS, options);
const groups = (options: TaggingOptions, causal = false) =>
  ask(options, causal).entities.map(({ group, word }) => `${group}: ${word}`);

describe('aggregation', () => {
  it('simple: joins words, each by the token that training labels', () => {
    expect(groups({})).toEqual(['LOC: New York', 'PER: Anna Martinez', 'LOC: Oslo']);
    expect(ask().tags).toEqual(['B-LOC', 'I-LOC', 'O', 'B-PER', 'I-PER', 'B-LOC']);
  });

  it('simple in a decoder: by the last token of each word', () => {
    expect(groups({}, true)).toEqual(['LOC: New York', 'PER: Anna', 'LOC: Oslo']);
  });

  it('first: by the first token, whatever the backbone', () => {
    expect(groups({ aggregation: 'first' }, true)).toContain('PER: Anna Martinez');
  });

  it('max: by the most certain token', () => {
    expect(groups({ aggregation: 'max' })).toContain('PER: Anna');
  });

  it('average: by the mean of the probabilities', () => {
    expect(groups({ aggregation: 'average' })).toContain('PER: Anna');
    const { scores } = ask({ aggregation: 'average' });
    const sure = (logit: number) => Math.exp(logit) / (Math.exp(logit) + 4);
    expect(scores[4]).toBeCloseTo((sure(8) + (1 - sure(5)) / 4) / 2, 6);
  });

  it('none: every token with its tag, row and offsets, a word with one tag', () => {
    const { entities } = ask({ aggregation: 'none' });
    expect(entities.map(({ tag, word, index }) => [tag, word, index])).toEqual([
      ['B-LOC', 'New', 1],
      ['I-LOC', 'York', 2],
      ['B-PER', 'Anna', 4],
      ['I-PER', 'Mart', 5],
      ['I-PER', 'inez', 6],
      ['B-LOC', 'Oslo', 7],
    ]);
    expect(entities[0]).toMatchObject({ group: 'LOC', start: 0, end: 3 });
  });

  it('scores an entity by the mean of its words', () => {
    const { entities, scores } = ask();
    expect(entities[0]!.score).toBeCloseTo((scores[0]! + scores[1]!) / 2, 12);
  });

  it('refuses a way that it does not know', () => {
    expect(() => ask({ aggregation: 'mean' as 'max' })).toThrow('choose one of none, simple');
  });
});

describe('ignoreLabels', () => {
  it('leaves out O alone by default, else what it is given', () => {
    expect(groups({ ignoreLabels: [] })).toContain('O: and');
    expect(groups({ ignoreLabels: ['O', 'LOC'] })).toEqual(['PER: Anna Martinez']);
    const { entities } = ask({ aggregation: 'none', ignoreLabels: ['O', 'B-LOC', 'PER'] });
    expect(entities.map(({ word }) => word)).toEqual(['York']);
  });
});

describe('neighbours with one label', () => {
  const tokens = ['Anna', 'Bert'];
  const both = (label: string, labels: readonly string[]) =>
    answerTagged(
      { tokens },
      [
        piece(
          [
            [0, [0, 4], label],
            [1, [5, 9], label],
          ],
          labels,
        ),
      ],
      labels,
    ).entities.map(({ word }) => word);

  it('are two spans where both begin', () => {
    expect(both('B-PER', LABELS)).toEqual(['Anna', 'Bert']);
  });

  it('are one where bare tags name things, and two where they are parts of speech', () => {
    expect(both('PER', ['PER', 'ORG', 'O'])).toEqual(['Anna Bert']);
    expect(both('NOUN', ['NOUN', 'VERB'])).toEqual(['Anna', 'Bert']);
  });
});

it('refuses logits that do not belong to the input', () => {
  const good = piece(PARTS, LABELS);
  const call = (pieces: ScoredPiece[]) => () => answerTagged({ tokens: TOKENS }, pieces, LABELS);
  expect(call([])).toThrow(TaskError);
  expect(call([{ ...good, logits: good.logits.slice(1) }])).toThrow(
    '44 logits for 9 tokens and 5 tags',
  );
  const bad = good.logits.slice();
  bad[7] = Number.NaN;
  expect(call([{ ...good, logits: bad }])).toThrow('a logit of token 1 is NaN');
});

it('answers a text without any word', () => {
  const empty = piece([], LABELS);
  expect(answerTagged({ text: ' ' }, [empty], LABELS)).toEqual({
    words: [],
    tags: [],
    scores: [],
    entities: [],
  });
});
