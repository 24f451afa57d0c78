import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodePoints } from '@polyprompt/text';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Family } from './config.ts';
import type { Encoding } from './encoding.ts';
import { makeByteLevel } from './testing/byte-level.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { writeTinyBackbone } from './testing/tiny-backbone.ts';
import { Tokenizer } from './tokenizer.ts';

const SHIPPED = fileURLToPath(new URL('../../../../shared/backbone/', import.meta.url));

function tiny(family: Family, words: string[] = []): Tokenizer {
  const dir = temporaryFolder();
  writeTinyBackbone(dir, { family, words });
  return Tokenizer.open(dir);
}

/** A tiny folder whose tokenizer.json has been changed. */
function edited(family: Family, edit: (json: Record<string, unknown>) => void): string {
  const dir = temporaryFolder();
  writeTinyBackbone(dir, { family });
  const path = join(dir, 'tokenizer.json');
  const json = JSON.parse(readFileSync(path, 'utf8'));
  edit(json);
  writeFileSync(path, JSON.stringify(json));
  return dir;
}

const tokens = (tokenizer: Tokenizer, encoding: Encoding) =>
  encoding.ids.map((id) => tokenizer.tokenOf(id));

/** The stretch of text behind each token that is not a special one. */
function pieces(text: string, encoding: Encoding): string[] {
  const points = new CodePoints(text);
  return encoding.offsets
    .filter((_, row) => encoding.specialMask[row] === 0)
    .map(([start, end]) => points.slice(start, end));
}

const TRICKY = fc.array(
  fc.oneof(
    fc.constantFrom(
      'a',
      'é',
      'e\u0301',
      'ﬁ',
      'ｶﾞ',
      '한',
      '한',
      '😀',
      '👨‍👩‍👧',
      '北京',
      'मस्',
      'مً',
      '½',
    ),
    fc.constantFrom(
      ' ',
      '\n',
      '\u3000',
      '\ufe0f',
      '\u200b',
      '\ud800',
      '\udc00',
      '▁',
      '<s>',
      '</s>',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  ),
  { maxLength: 12 },
);

describe('encode', () => {
  it('gives one row per token, special ones included', async () => {
    const tokenizer = tiny('roberta', ['good', 'news']);
    const encoding = await tokenizer.encode('good news!');
    expect(tokens(tokenizer, encoding)).toEqual(['<s>', '▁good', '▁news', '!', '</s>']);
    expect(encoding).toMatchObject({
      length: 5,
      fullLength: 5,
      truncated: false,
      overflowing: [],
      typeIds: [0, 0, 0, 0, 0],
      specialMask: [1, 0, 0, 0, 1],
      sequenceIds: [null, 0, 0, 0, null],
      wordIds: [null, 0, 1, 1, null],
      offsets: [
        [0, 0],
        [0, 4],
        [5, 9],
        [9, 10],
        [0, 0],
      ],
    });
  });

  it('encodes pairs as the family does', async () => {
    const ids = async (family: Family) => {
      const tokenizer = tiny(family, ['yes', 'no']);
      const encoding = await tokenizer.encode('yes', 'no');
      return [tokens(tokenizer, encoding).join(' '), encoding.typeIds, encoding.sequenceIds];
    };
    expect(await ids('roberta')).toEqual([
      '<s> ▁yes </s> </s> ▁no </s>',
      [0, 0, 0, 0, 0, 0],
      [null, 0, null, null, 1, null],
    ]);
    expect(await ids('bert')).toEqual([
      '[CLS] yes [SEP] no [SEP]',
      [0, 0, 0, 1, 1],
      [null, 0, null, 1, null],
    ]);
    expect((await ids('xglm'))[0]).toBe('</s> ▁yes </s> </s> ▁no');
  });

  it('keeps the order of a batch, pairs and single texts mixed', async () => {
    const tokenizer = tiny('bert', ['one', 'two']);
    const batch = await tokenizer.encodeBatch(['one', ['two', 'one'], '', 'two']);
    expect(batch.map((encoding) => tokens(tokenizer, encoding).join(' '))).toEqual([
      '[CLS] one [SEP]',
      '[CLS] two [SEP] one [SEP]',
      '[CLS] [SEP]',
      '[CLS] two [SEP]',
    ]);
    expect(await tokenizer.encodeBatch([])).toEqual([]);
  });

  it('knows its special tokens and its vocabulary', () => {
    expect(tiny('roberta').specialIds).toMatchObject({ cls: 0, pad: 1, sep: 2, unk: 3 });
    const tokenizer = tiny('bert', ['dog']);
    expect(tokenizer.specialIds).toEqual({ pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 });
    expect(tokenizer.tokenOf(tokenizer.idOf('dog')!)).toBe('dog');
    expect(tokenizer.idOf('cat')).toBeUndefined();
    expect(tokenizer.tokenOf(tokenizer.vocabSize)).toBeUndefined();
  });

  it('ignores the truncation and padding that tokenizer.json asks for', async () => {
    const tokenizer = Tokenizer.open(
      edited('bert', (json) => {
        json.truncation = {
          direction: 'Right',
          max_length: 8,
          strategy: 'LongestFirst',
          stride: 0,
        };
        json.padding = {
          ...{ strategy: { Fixed: 16 }, direction: 'Right', pad_to_multiple_of: null },
          ...{ pad_id: 0, pad_type_id: 0, pad_token: '[PAD]' },
        };
      }),
    );
    const [short, long] = await tokenizer.encodeBatch(['a', 'b '.repeat(30)]);
    expect([short!.length, long!.length]).toEqual([3, 32]);
  });

  it('refuses a template with an undefined token, on which the native library would abort', () => {
    const dir = edited('roberta', (json) => {
      json.post_processor = {
        type: 'Sequence',
        processors: [{ ...(json.post_processor as object), special_tokens: {} }],
      };
    });
    expect(() => Tokenizer.open(dir)).toThrow(
      expect.objectContaining({
        code: 'bad_tokenizer',
        message: expect.stringContaining('its template uses "<s>"'),
      }),
    );
  });
});

describe('limits', () => {
  it('truncates only when asked, and says so', async () => {
    const tokenizer = tiny('roberta');
    const text = 'a '.repeat(40);
    expect((await tokenizer.encode(text)).truncated).toBe(false);
    const cut = await tokenizer.encode(text, undefined, { truncateTo: 10 });
    expect(cut).toMatchObject({ length: 10, fullLength: 82, truncated: true, overflowing: [] });
    expect([cut.ids[0], cut.ids.at(-1)]).toEqual([0, 2]);
    const roomy = await tokenizer.encode(text, undefined, { truncateTo: 82, stride: 4 });
    expect(roomy).toMatchObject({ length: 82, truncated: false, overflowing: [] });
  });

  it('cuts a long second text into windows whose offsets refer to the whole', async () => {
    const tokenizer = tiny('bert');
    const context = Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i)).join(' ');
    const first = await tokenizer.encode('q', context, { truncateTo: 14, stride: 2 });
    const windows = [first, ...first.overflowing];
    const read = (window: Encoding) =>
      window.offsets
        .filter((_, row) => window.sequenceIds[row] === 1)
        .map(([start, end]) => context.slice(start, end))
        .join('');
    expect(windows.map(read)).toEqual(['abcdefghij', 'ijklmnopqr', 'qrstuvwxyz']);
    for (const window of windows) expect(window.length).toBe(14);
    expect(first.overflowing[0]!.wordIds.slice(3, -1)).toEqual([
      8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
    ]);
  });

  it('refuses a limit without room for text', async () => {
    await expect(tiny('bert').encode('abc', undefined, { truncateTo: 2 })).rejects.toThrow(
      expect.objectContaining({ code: 'bad_option' }),
    );
  });
});

describe('encodeWords', () => {
  it.each<Family>(['roberta', 'bert', 'xglm'])(
    'takes a word of white space for itself, never for the next one (%s)',
    async (family) => {
      const tokenizer = tiny(family, ['new', 'york']);
      const spaces = ['\u0085', '\u00a0', '\u3000', '\u2028', '\u1680', ' '];
      for (const space of spaces) {
        const [encoding] = await tokenizer.encodeWords([['new', space, 'york', space]]);
        const own = (word: number) =>
          encoding!.ids.filter((_, row) => encoding!.wordIds[row] === word);
        const [alone] = await tokenizer.encodeWords([['new', 'york']]);
        const wanted = alone!.ids.filter((_, row) => alone!.wordIds[row] === 1);
        expect(own(2)).toEqual(wanted);
      }
    },
  );

  it.each<Family>(['roberta', 'bert', 'xglm'])(
    'says which word a token is of (%s)',
    async (family) => {
      const tokenizer = tiny(family, ['new', 'york']);
      const words = [
        'new',
        'york',
        '',
        'is',
        'new york',
        '\u200b',
        '\ufeff',
        '😀😀',
        'e\u0301.',
        'big',
      ];
      const [encoding] = await tokenizer.encodeWords([words]);
      const joined = new CodePoints(words.join(' '));
      const text = new Map<number, string>();
      for (const [row, word] of encoding!.wordIds.entries()) {
        if (word === null) {
          const isMark = tokenizer.tokenOf(encoding!.ids[row]!) === '▁';
          expect(encoding!.specialMask[row]).toBe(isMark ? 0 : 1);
        } else {
          const first = encoding!.wordIds.indexOf(word);
          text.set(word, joined.slice(encoding!.offsets[first]![0], encoding!.offsets[row]![1]));
        }
      }
      for (const [word, covered] of text) expect(covered).toBe(words[word]);
      // BERT's normaliser removes the zero-width spaces, so those words have no token; nor has the empty one.
      const silent = family === 'bert' ? [2, 5, 6] : [2];
      const heard = [...words.keys()].filter((word) => !silent.includes(word));
      expect([...text.keys()]).toEqual(heard);
    },
  );

  it('gives every word its own tokens where they are bytes (RoBERTa)', async () => {
    const tokenizer = Tokenizer.open(edited('roberta', makeByteLevel));
    const words = ['a', 'é', '\u00a0', 'b.', '\u3000', '\ufeff', '😀', 'Ġ', '北', 'c'];
    const [encoding] = await tokenizer.encodeWords([words]);
    const counts = words.map((_, word) => encoding!.wordIds.filter((own) => own === word).length);
    // The mark of the space in front is none of them.
    expect(counts).toEqual(words.map((word) => Buffer.byteLength(word)));
  });

  it('gives the ids that the same words give as a sentence', async () => {
    const tokenizer = tiny('bert', ['new', 'york']);
    const [words] = await tokenizer.encodeWords([['new', 'york', 'times', '!']]);
    expect(words!.ids).toEqual((await tokenizer.encode('new york times !')).ids);
  });

  it('keeps word numbers in windows', async () => {
    const [first] = await tiny('roberta').encodeWords([[...'abcdef']], {
      truncateTo: 8,
      stride: 2,
    });
    expect([first!, ...first!.overflowing].map(({ wordIds }) => wordIds.join())).toEqual([
      ',,0,,1,,2,',
      ',,2,,3,,4,',
      ',,4,,5,',
    ]);
  });
});

it('counts the bare mark of a word as no token of it', async () => {
  const tokenizer = tiny('roberta', ['new']);
  const [encoding] = await tokenizer.encodeWords([['new', '中国', '.']]);
  const shown = encoding!.ids.map((id, i) => [tokenizer.tokenOf(id), encoding!.wordIds[i]]);
  const own = shown.filter(([, word]) => word === 1).map(([token]) => token);
  expect(own).not.toContain('▁');
  expect(shown.filter(([token]) => token === '▁').every(([, word]) => word === null)).toBe(true);
  expect(own.length).toBeGreaterThan(0);
});

describe('offsets', () => {
  it('counts code points and covers composed characters whole', async () => {
    const tokenizer = tiny('roberta');
    const text = '😀 e\u0301 ﬁ 한 ｶﾞ';
    const encoding = await tokenizer.encode(text);
    const found = pieces(text, encoding);
    for (const piece of ['😀', 'e\u0301', 'ﬁ', '한', 'ｶﾞ']) expect(found).toContain(piece);
  });

  it('leaves out the space in front of a word', async () => {
    const dir = edited('xglm', (json) => {
      json.pre_tokenizer = json.decoder;
    });
    const encoding = await Tokenizer.open(dir).encode('ab cd');
    expect(pieces('ab cd', encoding)).toEqual(['a', 'a', 'b', '', 'c', 'd']);
    const [words] = await Tokenizer.open(dir).encodeWords([['ab', 'cd']]);
    expect(words!.wordIds.slice(1)).toEqual([null, 0, 0, null, 1, 1]);
  });

  it.each<Family>(['roberta', 'bert'])(
    'stays inside any text, half surrogates included (%s)',
    async (family) => {
      const tokenizer = tiny(family);
      await fc.assert(
        fc.asyncProperty(TRICKY, async (parts) => {
          const text = parts.join('');
          const encoding = await tokenizer.encode(text);
          const length = [...text].length;
          const rows = encoding.offsets.filter((_, row) => encoding.specialMask[row] === 0);
          for (const [start, end] of rows) {
            expect(start).toBeGreaterThanOrEqual(0);
            expect(start).toBeLessThanOrEqual(end);
            expect(end).toBeLessThanOrEqual(length);
          }
        }),
        { numRuns: 300 },
      );
    },
  );

  it('leaves no visible character without a token', async () => {
    const tokenizer = tiny('roberta');
    await fc.assert(
      fc.asyncProperty(TRICKY, async (parts) => {
        const text = parts.join('').replace(/^\s+|\s+$/g, '');
        const encoding = await tokenizer.encode(text);
        const covered = new Set(
          encoding.offsets.flatMap(([start, end]) =>
            Array.from({ length: end - start }, (_, i) => start + i),
          ),
        );
        const visible = [...text].flatMap((character, i) => (/\s/.test(character) ? [] : [i]));
        expect(visible.filter((index) => !covered.has(index))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe.skipIf(!existsSync(SHIPPED))('the shipped tokenizer (../shared/backbone)', () => {
  let tokenizer: Tokenizer;
  beforeAll(() => {
    tokenizer = Tokenizer.open(SHIPPED);
  });

  it.each([
    ['a 😀 b', ['a', '😀', '😀', 'b']],
    ['cafe\u0301 ok', ['cafe\u0301', 'o', 'k']],
    ['ﬁne ﬁ', ['ﬁne', 'ﬁ']],
    ['北京大学', ['北', '北', '京', '大学']],
    ['مرحبا بالعالم', ['م', 'رح', 'با', 'بال', 'عا', 'لم']],
    ['नमस्ते दुनिया', ['न', 'म', 'स्त', 'े', 'दुनिया']],
  ])('finds the pieces of %s in the text', async (text, expected) => {
    const encoding = await tokenizer.encode(text);
    expect(pieces(text, encoding)).toEqual(expected);
  });

  it('encodes 100,000 characters while the event loop runs on', async () => {
    const text = 'wonderful 世界 e\u0301 backbone 😀 '.repeat(4000).slice(0, 100_000);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const encoding = await tokenizer.encode(text, undefined, { truncateTo: 256, stride: 64 });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    const last = encoding.overflowing.at(-1)!;
    expect(last.offsets.at(-2)![1]).toBe([...text.trimEnd()].length);
    expect(encoding.fullLength).toBeGreaterThan(20_000);
  });
});
