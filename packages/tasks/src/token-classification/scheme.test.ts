import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seqevalChunks } from '../metrics/seqeval.ts';
import { normaliseTags, type Scheme, schemeOf } from './scheme.ts';
import { spansOf } from './tags.ts';

const words = (tags: string) => tags.split(' ');

describe('schemeOf', () => {
  it.each<[Scheme, string[]]>([
    ['IOB2', ['B-PER I-PER O', 'B-LOC B-LOC']],
    ['IOB2', ['O O']],
    ['IOB2', ['B-PER I-ORG']],
    ['IOB1', ['I-PER I-PER O', 'I-LOC B-LOC I-LOC']],
    ['IOB1', ['I-PER O I-ORG']],
    ['BIOES', ['S-PER O B-LOC E-LOC']],
    ['BIOES', ['U-PER O B-LOC I-LOC L-LOC']],
    ['BIOES', ['B-PER M-PER E-PER']],
    ['bare', ['NOUN VERB PUNCT', 'X SYM']],
    ['bare', ['PER O O']],
    ['bare', ['PRP$ -LRB- :']],
  ])('%s: %j', (scheme, sequences) => {
    expect(schemeOf(sequences.map(words))).toBe(scheme);
  });
});

describe('normaliseTags', () => {
  it.each<[Scheme, string, string, number[]]>([
    ['IOB2', 'B-PER I-PER O', 'B-PER I-PER O', []],
    ['IOB2', 'O I-PER I-PER', 'O B-PER I-PER', [1]],
    ['IOB2', 'B-PER I-ORG', 'B-PER B-ORG', [1]],
    ['IOB2', 'I-PER O I-PER', 'B-PER O B-PER', [0, 2]],
    ['IOB1', 'I-PER I-PER O', 'B-PER I-PER O', []],
    ['IOB1', 'I-PER B-PER I-PER', 'B-PER B-PER I-PER', []],
    ['IOB1', 'I-PER I-ORG', 'B-PER B-ORG', []],
    ['BIOES', 'S-PER B-LOC I-LOC E-LOC O', 'B-PER B-LOC I-LOC I-LOC O', []],
    ['BIOES', 'U-PER B-LOC L-LOC', 'B-PER B-LOC I-LOC', []],
    ['BIOES', 'B-PER O', 'B-PER O', [1]],
    ['BIOES', 'B-PER I-PER', 'B-PER I-PER', [1]],
    ['BIOES', 'O E-PER', 'O B-PER', [1]],
    ['BIOES', 'S-PER I-PER E-PER', 'B-PER B-PER I-PER', [1]],
    ['BIOES', 'B-PER E-ORG', 'B-PER B-ORG', [1]],
    ['bare', 'NOUN B-X', 'NOUN B-X', []],
  ])('%s: %s', (scheme, tags, expected, invalid) => {
    expect(normaliseTags(words(tags), scheme)).toEqual({ tags: words(expected), invalid });
  });

  it.each<Scheme>(['IOB1', 'IOB2', 'BIOES'])(
    'keeps the spans that seqeval sees, whatever the tags: %s',
    (scheme) => {
      const prefixes = scheme === 'BIOES' ? ['B', 'I', 'E', 'S'] : ['B', 'I'];
      const tag = fc.oneof(
        fc.constant('O'),
        fc
          .tuple(fc.constantFrom(...prefixes), fc.constantFrom('X', 'Y'))
          .map((parts) => parts.join('-')),
      );
      fc.assert(
        fc.property(fc.array(tag, { maxLength: 12 }), (tags) => {
          const { tags: normal } = normaliseTags(tags, scheme);
          const spans = spansOf(normal).map(({ label, start, end }) => [label, start, end - 1]);
          expect(spans).toEqual(seqevalChunks([tags]));
        }),
      );
    },
  );
});
