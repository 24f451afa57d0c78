import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Chunk, seqevalChunks } from './seqeval.ts';
import { scoreSpans } from './spans.ts';

const words = (tags: string) => (tags === '' ? [] : tags.split(' '));
const chunks = (...sequences: string[]) => seqevalChunks(sequences.map(words));
const show = (found: readonly Chunk[]) => found.map(([type, from, to]) => `${type}:${from}-${to}`);

// Worked out by hand from start_of_chunk and end_of_chunk of seqeval 1.2.2.
const CASES: readonly (readonly [what: string, tags: string, expected: string])[] = [
  ['nothing', '', ''],
  ['outside alone', 'O O O', ''],
  ['one word', 'B-PER', 'PER:0-0'],
  ['two words', 'B-PER I-PER', 'PER:0-1'],
  ['a span in the middle', 'O B-PER I-PER O', 'PER:1-2'],
  ['a span at the end', 'O O B-LOC I-LOC I-LOC', 'LOC:2-4'],
  ['neighbours of one type', 'B-PER B-PER', 'PER:0-0 PER:1-1'],
  ['neighbours of one type, longer', 'B-PER I-PER B-PER I-PER', 'PER:0-1 PER:2-3'],
  ['neighbours of two types', 'B-PER I-PER B-ORG', 'PER:0-1 ORG:2-2'],
  ['IOB1: begins inside', 'I-PER I-PER O', 'PER:0-1'],
  ['IOB1: B only between neighbours', 'I-PER B-PER I-PER', 'PER:0-0 PER:1-2'],
  ['IOB1: change of type', 'I-PER I-ORG', 'PER:0-0 ORG:1-1'],
  ['IOB1: B after another type', 'I-PER B-ORG I-ORG', 'PER:0-0 ORG:1-2'],
  ['an inside after outside', 'O I-LOC O', 'LOC:1-1'],
  ['an inside of another type', 'B-PER I-ORG I-ORG', 'PER:0-0 ORG:1-2'],
  ['an inside that returns', 'B-PER I-ORG I-PER', 'PER:0-0 ORG:1-1 PER:2-2'],
  ['BIOES: single', 'S-PER', 'PER:0-0'],
  ['BIOES: two singles', 'S-PER S-PER', 'PER:0-0 PER:1-1'],
  ['BIOES: begin and end', 'B-PER E-PER', 'PER:0-1'],
  ['BIOES: three words', 'B-PER I-PER E-PER', 'PER:0-2'],
  ['BIOES: neighbours', 'B-PER E-PER B-PER E-PER', 'PER:0-1 PER:2-3'],
  ['BIOES: single after end', 'B-LOC E-LOC S-LOC O', 'LOC:0-1 LOC:2-2'],
  ['BIOES: end without begin', 'O E-PER O', 'PER:1-1'],
  ['BIOES: end after end', 'B-PER E-PER E-PER', 'PER:0-1 PER:2-2'],
  ['BIOES: inside after end', 'B-PER E-PER I-PER', 'PER:0-1 PER:2-2'],
  ['BIOES: inside after single', 'S-PER I-PER', 'PER:0-0 PER:1-1'],
  ['BIOES: end after single', 'S-PER E-PER', 'PER:0-0 PER:1-1'],
  ['BIOES: single inside of a span', 'B-PER S-PER E-PER', 'PER:0-0 PER:1-1 PER:2-2'],
  ['BIOES: a span without end', 'B-PER I-PER O', 'PER:0-1'],
  ['BIOES: end of another type', 'B-PER E-ORG', 'PER:0-0 ORG:1-1'],
  ['a type with dashes', 'B-date-time I-date-time', 'date-time:0-1'],
  ['no type', 'B I O', '_:0-1'],
  ['no type behind the dash', 'B- I-', '_:0-1'],
  ['bare: runs are joined', 'NOUN NOUN VERB', 'OUN:0-1 ERB:2-2'],
  ['bare: SCONJ swallows the CCONJ before it', 'CCONJ SCONJ', 'CONJ:1-1'],
  ['bare: S ends every span', 'SYM SYM', 'YM:0-0 YM:1-1'],
  ['bare: I goes on', 'INTJ INTJ', 'NTJ:0-1'],
  ['bare: PROPN and PRON differ', 'PROPN PRON', 'ROPN:0-0 RON:1-1'],
  ['bare: X in front of a tag', 'X NOUN', '_:0-0 OUN:1-1'],
  ['bare: X at the end is lost', 'NOUN X', 'OUN:0-0'],
  ['bare: X after outside does not begin', 'NOUN O X VERB', 'OUN:0-0 _:0-2 ERB:3-3'],
];

describe('seqevalChunks', () => {
  it.each(CASES)('%s: %s', (_, tags, expected) => {
    expect(show(chunks(tags)).join(' ')).toBe(expected);
  });

  it('reads several sequences as one with O between them', () => {
    expect(show(chunks('B-PER', 'I-PER'))).toEqual(['PER:0-0', 'PER:2-2']);
    expect(show(chunks('NOUN', 'NOUN'))).toEqual(['OUN:0-0', 'OUN:2-2']);
    // X has the type of the O in front of it, so it begins nothing from the second sequence on.
    expect(show(chunks('X VERB', 'X VERB'))).toEqual(['_:0-0', 'ERB:1-1', '_:1-3', 'ERB:4-4']);
  });

  it('finds every span of valid IOB2, and nothing else', () => {
    const run = fc.record({
      label: fc.constantFrom('A', 'B', 'I'),
      length: fc.integer({ min: 1, max: 3 }),
    });
    const runs = fc.array(fc.oneof(run, fc.constant(null)));
    fc.assert(
      fc.property(runs, (all) => {
        const tags: string[] = [];
        const expected: Chunk[] = [];
        for (const span of all) {
          if (span === null) tags.push('O');
          else {
            expected.push([span.label, tags.length, tags.length + span.length - 1]);
            tags.push(`B-${span.label}`, ...Array(span.length - 1).fill(`I-${span.label}`));
          }
        }
        expect(seqevalChunks([tags])).toEqual(expected);
      }),
    );
  });
});

describe('precision, recall and F1 as seqeval counts them', () => {
  const scores = (gold: string[], found: string[]) => {
    const { precision, recall, f1 } = scoreSpans([[chunks(...gold), chunks(...found)]]);
    return [precision, recall, f1].map((value) => Number(value.toFixed(4)));
  };

  it.each([
    ['all right', ['O B-PER I-PER'], ['O B-PER I-PER'], [1, 1, 1]],
    ['nothing there, nothing found', ['O O'], ['O O'], [0, 0, 0]],
    ['nothing found', ['B-PER'], ['O'], [0, 0, 0]],
    ['found where nothing is', ['O'], ['B-PER'], [0, 0, 0]],
    // The example of seqeval's README.
    [
      'half of two',
      ['O O O B-MISC I-MISC I-MISC O', 'B-PER I-PER O'],
      ['O O B-MISC I-MISC I-MISC I-MISC O', 'B-PER I-PER O'],
      [0.5, 0.5, 0.5],
    ],
    ['an end too far', ['B-PER I-PER O'], ['B-PER I-PER I-PER'], [0, 0, 0]],
    ['another type', ['B-PER I-PER'], ['B-ORG I-ORG'], [0, 0, 0]],
    ['neighbours taken for one', ['B-PER B-PER'], ['B-PER I-PER'], [0, 0, 0]],
    ['one of two', ['B-PER O B-LOC'], ['B-PER O O'], [1, 0.5, 0.6667]],
    ['one too many', ['B-PER O O'], ['B-PER O B-LOC'], [0.5, 1, 0.6667]],
    ['IOB1 against IOB2', ['I-PER I-PER O'], ['B-PER I-PER O'], [1, 1, 1]],
    ['BIOES against IOB2', ['S-PER B-LOC E-LOC'], ['B-PER B-LOC I-LOC'], [1, 1, 1]],
    ['bare tags', ['NOUN NOUN VERB'], ['NOUN VERB VERB'], [0, 0, 0]],
    ['bare tags, a conjunction of either kind', ['CCONJ VERB'], ['SCONJ VERB'], [1, 1, 1]],
  ])('%s', (_, gold, found, expected) => {
    expect(scores(gold, found)).toEqual(expected);
  });

  it('counts each label', () => {
    const { perLabel, f1Macro } = scoreSpans([[chunks('B-A O B-B'), chunks('B-A O O')]]);
    expect(perLabel).toEqual([
      { label: 'A', precision: 1, recall: 1, f1: 1, support: 1, predicted: 1 },
      { label: 'B', precision: 0, recall: 0, f1: 0, support: 1, predicted: 0 },
    ]);
    expect(f1Macro).toBe(0.5);
  });
});
