// Windows, offsets and answers with the tokenizers of all three families.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBackbone, Tokenizer } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Piece, ScoredPiece } from '../task.ts';
import { tokenClassification as task } from './index.ts';
import type { TaggedExample, TaggingInput, TaggingOptions } from './types.ts';

const shipped = Tokenizer.open(join(import.meta.dirname, '../../../../models/polyprompt-mini'));
const folder = mkdtempSync(join(tmpdir(), 'tagging-'));
afterAll(() => rmSync(folder, { recursive: true }));
const tiny = (family: 'bert' | 'xglm') => {
  const dir = join(folder, family);
  writeTinyBackbone(dir, { family, words: ['anna', 'oslo', 'lives', 'in'] });
  return openBackbone(dir).tokenizer();
};
const tokenizers = { xlmr: shipped, bert: tiny('bert'), xglm: tiny('xglm') };

const LABELS = ['B-LOC', 'I-LOC', 'B-PER', 'I-PER', 'O'];
const room = { maxTokens: 512, truncate: false };

/** Logits that depend on the token alone, as those of a model without context would. */
function score(piece: Piece, labels = LABELS): ScoredPiece {
  const logits = piece.ids.flatMap((id) =>
    labels.map((_, c) => 4 * Math.sin(id * 12.9898 + c * 78.233)),
  );
  return { ...piece, logits: Float32Array.from(logits) };
}

async function answer(
  input: TaggingInput,
  { tokenizer = shipped, limits = room, options = {} as TaggingOptions, labels = LABELS } = {},
) {
  const { pieces, overruns } = await task.encode([input], tokenizer, limits, options);
  expect(overruns).toEqual([]);
  return {
    pieces,
    answer: task.answer(
      input,
      pieces.map((piece) => score(piece, labels)),
      labels,
      options,
    ),
  };
}

const text = fc
  .array(fc.constantFrom('anna', 'lives', 'in', 'oslo', 'zanzibar', '.', '北京', '😀', 'qqq'), {
    minLength: 1,
    maxLength: 60,
  })
  .map((words) => words.join(' '));

describe.each(Object.entries(tokenizers))('windows: %s', (name, tokenizer) => {
  const causal = name === 'xglm';

  it('count every token once, where it has the most context', async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 8, max: 40 }), async (sentence, maxTokens) => {
        const limits = { maxTokens, truncate: false, causal };
        const whole = await task.encode([{ text: sentence }], tokenizer, room);
        const { pieces } = await task.encode([{ text: sentence }], tokenizer, limits);
        const rows = pieces.flatMap(({ spans }) =>
          spans!.rows.filter((_, token) => spans!.wordIds[token] !== null),
        );
        const all = whole.pieces[0]!.spans!;
        const expected = all.rows.filter((_, token) => all.wordIds[token] !== null);
        expect(rows.toSorted((a, b) => a - b)).toEqual(expected);
        for (const { ids } of pieces) expect(ids.length).toBeLessThanOrEqual(maxTokens);
      }),
      { numRuns: 30 },
    );
  });

  it('give the answer of the whole text', async () => {
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.integer({ min: 8, max: 40 }),
        fc.constantFrom('none', 'simple', 'first', 'average', 'max'),
        async (sentence, maxTokens, aggregation) => {
          const options = { aggregation } as const;
          const whole = await answer(
            { text: sentence },
            { tokenizer, limits: { ...room, causal } as typeof room, options },
          );
          const limits = { maxTokens, truncate: false, causal };
          const parts = await answer({ text: sentence }, { tokenizer, limits, options });
          expect(parts.answer).toEqual(whole.answer);
        },
      ),
      { numRuns: 30 },
    );
  });
});

it('leaves a text that fits in one piece, and cuts a long one by the stride', async () => {
  const long = { text: 'anna lives in oslo . '.repeat(40) };
  expect((await task.encode([long], shipped, room)).pieces).toHaveLength(1);
  const few = await task.encode([long], shipped, { maxTokens: 64, truncate: false }, { stride: 0 });
  const many = await task.encode(
    [long],
    shipped,
    { maxTokens: 64, truncate: false },
    { stride: 32 },
  );
  expect(many.pieces.length).toBeGreaterThan(few.pieces.length);
  await expect(
    task.encode([long], shipped, { maxTokens: 64, truncate: false }, { stride: 33 }),
  ).rejects.toThrow('stride is 33; windows of 64 tokens can share from 0 to 32');
});

describe('targets', () => {
  const example: TaggedExample = {
    input: { tokens: ['zanzibar', '\u3000', 'anna', 'qqq'] },
    gold: { tags: ['B-LOC', 'O', 'B-PER', 'I-PER'] },
    language: undefined,
    line: 7,
  };

  it.each([
    ['first', 'xlmr', false],
    ['first', 'bert', false],
    ['last', 'xglm', true],
  ] as const)('are at the %s token of a word: %s', async (place, name, causal) => {
    const { features, issues } = await task.features([example], LABELS, tokenizers[name], {
      ...room,
      causal,
    });
    const [{ target, spans }] = features as [(typeof features)[0]];
    const tokensOf = (word: number) =>
      spans!.wordIds.flatMap((id, token) => (id === word ? [token] : []));
    expect(tokensOf(0).length).toBeGreaterThan(1);
    for (const [word, tag] of example.gold!.tags!.entries()) {
      const tokens = tokensOf(word);
      const labelled = tokens.filter((token) => target[token]! >= 0);
      if (tokens.length === 0) continue;
      expect(labelled).toEqual([place === 'first' ? tokens[0] : tokens.at(-1)]);
      expect(LABELS[target[labelled[0]!]!]).toBe(tag);
    }
    expect(target.filter((c) => c >= 0)).toHaveLength(4 - (issues.length > 0 ? 1 : 0));
  });

  it('report a word that the tokenizer makes nothing of, and shift no tag', async () => {
    const { issues, features } = await task.features([example], LABELS, shipped, room);
    expect(issues).toMatchObject([
      { code: 'word_without_tokens', severity: 'warning', line: 7, count: 1 },
    ]);
    expect(issues[0]!.message).toContain('U+3000');
    const { target, spans } = features[0]!;
    const tags = target.flatMap((c, token) => (c < 0 ? [] : [[spans!.wordIds[token], LABELS[c]]]));
    expect(tags).toEqual([
      [0, 'B-LOC'],
      [2, 'B-PER'],
      [3, 'I-PER'],
    ]);
  });

  it('count every word once over all windows', async () => {
    const words = Array.from({ length: 200 }, (_, i) => (i % 3 ? 'zanzibar' : 'anna'));
    const long = { ...example, input: { tokens: words }, gold: { tags: words.map(() => 'O') } };
    const limits = { maxTokens: 32, truncate: false };
    const { features } = await task.features([long], LABELS, shipped, limits);
    expect(features.length).toBeGreaterThan(10);
    expect(features.flatMap(({ target }) => target.filter((c) => c >= 0))).toHaveLength(200);
  });

  it('cut words of a text where entities begin and end', async () => {
    const gold = {
      spans: [
        { start: 0, end: 4, label: 'PER' },
        { start: 7, end: 11, label: 'LOC' },
      ],
    };
    const inside = { ...example, input: { text: 'annas  osloish' }, gold };
    const { features } = await task.features([inside], LABELS, shipped, room);
    expect(features[0]!.target.filter((c) => c >= 0).map((c) => LABELS[c])).toEqual([
      'B-PER',
      'O',
      'B-LOC',
      'O',
    ]);
  });

  it('name tags that are not learned', async () => {
    const other = { ...example, gold: { tags: ['B-X', 'O', 'O', 'O'] } };
    const { issues, features } = await task.features([other], LABELS, shipped, room);
    expect(features).toEqual([]);
    expect(issues).toMatchObject([{ code: 'unknown_label', line: 7, label: 'B-X' }]);
  });
});

describe('offsets', () => {
  const TEXTS = [
    'Anna moved to São Paulo 🇧🇷 in 2019.',
    '👩‍👩‍👧‍👦 Zoë visited 東京 😀😀 yesterday',
    'Cafe\u0301 Mu\u0308nchen, A\u030angstrom!',
    '昨日、田中さんは大阪大学へ行きました。',
    '王小明在北京大学学习，住在上海。',
    'سافر أحمدُ إلى القاهرة، عاصمة مصر.',
    'नरेंद्र मोदी ने नई दिल्ली में कहा।',
    'ﬁnance in ﬂorence: 5㎏ for ½ €, №7 ①',
    '각 \u1100\u1161\u11a8 ﾊﾝｶｸ ｶﾞ',
    'ไทย: สมชายอยู่ที่กรุงเทพมหานคร',
    '  spaces\u00a0around\tAnna \n',
    'a\u200bb \ufeffAnna\u00ad',
  ];

  describe.each(Object.entries(tokenizers))('%s', (name, tokenizer) => {
    it.each(TEXTS)('text.slice(start, end) is the word: %s', async (sentence) => {
      for (const aggregation of ['none', 'simple', 'first', 'average', 'max'] as const) {
        const options = { aggregation, ignoreLabels: [], offsetUnit: 'utf16' } as const;
        const limits = { ...room, causal: name === 'xglm' } as typeof room;
        const { answer: found } = await answer({ text: sentence }, { tokenizer, limits, options });
        const units = found.entities.map(({ start, end }) => sentence.slice(start, end));
        expect(units).toEqual(found.entities.map(({ word }) => word));
        for (const { word, score } of found.entities) {
          expect(word).toMatch(/^\S(.*\S)?$/s);
          expect(score).toBeGreaterThan(0);
          expect(score).toBeLessThanOrEqual(1);
        }
        // Without a label to leave out, entities are all that is not white space, but for what the
        // normaliser makes nothing of.
        if (aggregation !== 'none') {
          expect(units.join('').replace(/\s/g, '')).toBe(sentence.replace(/\s/g, ''));
        }
      }
    });
  });

  it.each([
    ['codepoint', 2],
    ['utf16', 3],
    ['byte', 5],
  ] as const)('count %s', async (offsetUnit, start) => {
    const options = { aggregation: 'simple', ignoreLabels: [], offsetUnit } as const;
    const { answer: found } = await answer({ text: '😀 Anna' }, { options, labels: ['A', 'B'] });
    expect(found.entities.find(({ word }) => word === 'Anna')).toMatchObject({
      start,
      end: start + 4,
    });
  });

  it('of given words count them as joined by spaces', async () => {
    const options = { ignoreLabels: [], aggregation: 'none' } as const;
    const tokens = ['Anna', 'a b', '😀'];
    const { answer: found } = await answer({ tokens }, { options });
    expect(found.words).toEqual([
      [0, 4],
      [5, 8],
      [9, 10],
    ]);
    for (const { word, start, end } of found.entities) {
      expect([...tokens.join(' ')].slice(start, end).join('')).toBe(word);
    }
  });
});
