// Small but complete tokenizer.json files in the layouts of the three families: letters, digits,
// punctuation and whatever words are given; the rest of the vocabulary is filled up with `<extra_n>`.

import type { Family } from '../config.ts';

const CHARACTERS = [...'abcdefghijklmnopqrstuvwxyz0123456789.,!?\'"-'];

/** The vocabulary that the characters and `words` need at least. */
export function tinyVocabSize(family: Family, words: readonly string[] = []): number {
  return vocabulary(family, words).length;
}

/** @param vocab number of tokens; at least `tinyVocabSize(family, words)` */
export function tinyTokenizer(
  family: Family,
  vocab: number,
  words: readonly string[] = [],
): object {
  const tokens = vocabulary(family, words);
  if (vocab < tokens.length) {
    throw new RangeError(`a vocabulary of ${vocab} is too small, ${tokens.length} are needed`);
  }
  const filler = Array.from({ length: vocab - tokens.length }, (_, i) => `<extra_${i}>`);
  return family === 'bert'
    ? wordPiece([...tokens, ...filler])
    : unigram(family, [...tokens.slice(0, -1), ...filler, ...tokens.slice(-1)]);
}

function vocabulary(family: Family, words: readonly string[]): string[] {
  const known = new Set(CHARACTERS);
  const longer = [...new Set(words)].filter((word) => !known.has(word));
  return family === 'bert'
    ? [
        ...['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'],
        ...CHARACTERS,
        ...CHARACTERS.map((character) => `##${character}`),
        ...longer,
      ]
    : [
        ...['<s>', '<pad>', '</s>', '<unk>', '▁'],
        ...CHARACTERS,
        ...longer.map((word) => `▁${word}`),
        '<mask>',
      ];
}

function wordPiece(tokens: readonly string[]): object {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.slice(0, 5).map((token, id) => special(token, id)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: template('[CLS] A [SEP]', '[CLS] A [SEP] B:1 [SEP]:1', {
      '[CLS]': 2,
      '[SEP]': 3,
    }),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  };
}

function unigram(family: Family, tokens: readonly string[]): object {
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  const last = tokens.length - 1;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      ...tokens.slice(0, 4).map((token, id) => special(token, id)),
      { ...special(tokens[last]!, last), lstrip: true },
    ],
    normalizer: { type: 'NFKC' },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace] },
    post_processor:
      family === 'xglm'
        ? template('</s> A', '</s> A </s> </s> B', { '</s>': 2 })
        : template('<s> A </s>', '<s> A </s> </s> B </s>', { '<s>': 0, '</s>': 2 }),
    decoder: metaspace,
    model: {
      type: 'Unigram',
      unk_id: 3,
      byte_fallback: false,
      // Whole words are likelier than their letters one by one.
      vocab: tokens.map((token) => [token, token.length > 1 ? -4 : -8]),
    },
  };
}

function special(content: string, id: number): object {
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return { id, content, ...plain, special: true };
}

/** `'<s> A </s>'`; A and B are the texts, `:1` gives a part token type 1. */
function template(single: string, pair: string, ids: Readonly<Record<string, number>>): object {
  const parse = (text: string) =>
    text.split(' ').map((part) => {
      const [id, type] = part.split(':');
      const kind = id === 'A' || id === 'B' ? 'Sequence' : 'SpecialToken';
      return { [kind]: { id, type_id: Number(type ?? 0) } };
    });
  const tokens = Object.entries(ids).map(([token, id]) => [
    token,
    { id: token, ids: [id], tokens: [token] },
  ]);
  return {
    type: 'TemplateProcessing',
    single: parse(single),
    pair: parse(pair),
    special_tokens: Object.fromEntries(tokens),
  };
}
