import type { Encoder, TokenEncoding } from '../task.ts';

/** Beginning, end and joint of a pair, as XLM-R has them. */
const [BOS, EOS] = [0, 2];

/**
 * One token per character, ids are code points; white space has none. Pairs are framed as
 * `<s> first </s></s> second </s>`. Never cuts.
 */
export const spanEncoder: Encoder = {
  encodeBatch: async (inputs) =>
    inputs.map((input) => {
      const [first, second] = typeof input === 'string' ? [input] : input;
      const special = (id: number): Token => ({ id, offset: [0, 0], sequence: null });
      const tail = second === undefined ? [] : [special(EOS), ...tokensOf(second, 1), special(EOS)];
      return encodingOf([special(BOS), ...tokensOf(first, 0), special(EOS), ...tail]);
    }),
  encodeWords: async () => [],
};

interface Token {
  readonly id: number;
  readonly offset: readonly [number, number];
  readonly sequence: number | null;
}

function tokensOf(text: string, sequence: number): Token[] {
  return [...text].flatMap((character, i): Token[] =>
    /\s/.test(character) ? [] : [{ id: character.codePointAt(0)!, offset: [i, i + 1], sequence }],
  );
}

function encodingOf(tokens: readonly Token[]): TokenEncoding {
  return {
    ids: tokens.map(({ id }) => id),
    typeIds: tokens.map(({ sequence }) => sequence ?? 0),
    fullLength: tokens.length,
    rows: tokens.map((_, i) => i),
    offsets: tokens.map(({ offset }) => offset),
    sequenceIds: tokens.map(({ sequence }) => sequence),
    wordIds: tokens.map(() => null),
    overflowing: [],
  };
}
