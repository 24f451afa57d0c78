import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@polyprompt/backbone';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spanEncoder as encoder } from '../testing/span-encoder.ts';
import { encodeQuestions } from './windows.ts';

const MINI = fileURLToPath(new URL('../../../../models/polyprompt-mini/', import.meta.url));
const limits = (maxTokens: number, truncate = false) => ({ maxTokens, truncate });
const input = (question: string, context: string) => ({ question, context });

describe('windows', () => {
  it('are one where everything fits', async () => {
    const { pieces, overruns } = await encodeQuestions([input('ab', 'c d')], encoder, limits(8));
    expect(overruns).toEqual([]);
    expect(pieces).toEqual([
      {
        example: 0,
        ids: [0, 97, 98, 2, 2, 99, 100, 2],
        typeIds: [0, 0, 0, 0, 0, 1, 1, 0],
        offset: 0,
        context: { first: 5, starts: Uint32Array.of(0, 2), ends: Uint32Array.of(1, 3) },
      },
    ]);
  });

  it('share docStride tokens and hold the whole question each', async () => {
    const { pieces } = await encodeQuestions([input('q', 'abcdefghij')], encoder, limits(9), {
      docStride: 1,
    });
    const texts = pieces.map(({ ids }) => String.fromCodePoint(...ids.filter((id) => id > 2)));
    expect(texts).toEqual(['qabcd', 'qdefg', 'qghij']);
    expect(pieces.map(({ offset }) => offset)).toEqual([0, 3, 6]);
    expect(pieces.map(({ context }) => context.starts[0])).toEqual([0, 3, 6]);
  });

  it('may be very many, and are refused before they are made where only so many are wanted', async () => {
    const inputs = [input('q', 'a'), input('q', 'a'.repeat(300_000))];
    const { pieces } = await encodeQuestions(inputs, encoder, limits(8));
    expect(pieces).toHaveLength(1 + 150_000);
    const few = { ...limits(8), maxPieces: 1000 };
    await expect(encodeQuestions(inputs, encoder, few)).rejects.toThrow(
      'maxTokens is 8; the contexts would make more than 1000 windows: allow longer ones that share less, or shorten the contexts',
    );
  });

  it('cover every token of any context in order, each within the limit', async () => {
    const text = (max: number) => fc.string({ unit: 'grapheme', minLength: 1, maxLength: max });
    await fc.assert(
      fc.asyncProperty(
        text(6),
        text(80),
        fc.integer({ min: 16, max: 40 }),
        fc.nat({ max: 15 }),
        async (question, context, maxTokens, docStride) => {
          const options = { docStride };
          const { pieces, contexts, overruns } = await encodeQuestions(
            [input(question, context)],
            encoder,
            limits(maxTokens),
            options,
          );
          if (overruns.length > 0) return;
          const whole = contexts[0]!;
          const covered = new Set<number>();
          for (const piece of pieces) {
            expect(piece.ids.length).toBeLessThanOrEqual(maxTokens);
            expect(piece.typeIds).toHaveLength(piece.ids.length);
            piece.context.starts.forEach((start, i) => {
              covered.add(piece.offset + i);
              expect(start).toBe(whole.starts[piece.offset + i]);
              const id = piece.ids[piece.context.first + i]!;
              expect([...context][start]).toBe(String.fromCodePoint(id));
            });
          }
          expect(covered.size).toBe(whole.starts.length);
        },
      ),
    );
  });

  it('refuse a question that leaves no room, with its tokens and the limit; others go on', async () => {
    const inputs = [input('q'.repeat(20), 'abcdefgh'), input('q', 'abcdefgh')];
    const { pieces, overruns } = await encodeQuestions(inputs, encoder, limits(16));
    // 16 - 4 special ones - a quarter of 16 for the context.
    expect(overruns).toEqual([{ example: 0, tokens: 20, limit: 8, part: 'question' }]);
    expect(pieces.every(({ example }) => example === 1)).toBe(true);
  });

  it('cut it only when asked to', async () => {
    const inputs = [input('0123456789ABCDEF', 'abcdefgh')];
    const { pieces, overruns } = await encodeQuestions(inputs, encoder, limits(16, true));
    expect(overruns).toHaveLength(1);
    const texts = pieces.map(({ ids }) => String.fromCodePoint(...ids.filter((id) => id > 2)));
    expect(texts).toEqual(['01234567abcd', '01234567cdef', '01234567efgh']);
    expect(pieces[0]!.context.first).toBe(11);
  });

  it('let a short context have less than a quarter', async () => {
    const { pieces } = await encodeQuestions([input('q'.repeat(11), 'a')], encoder, limits(16));
    expect(pieces).toHaveLength(1);
  });

  it('limit the question where asked to', async () => {
    const { overruns } = await encodeQuestions([input('abc', 'd')], encoder, limits(16), {
      maxQuestionTokens: 2,
    });
    expect(overruns).toEqual([{ example: 0, tokens: 3, limit: 2, part: 'question' }]);
  });

  it('are 384 tokens long where there is more room', async () => {
    const inputs = [input('q', 'x'.repeat(1000))];
    const { pieces } = await encodeQuestions(inputs, encoder, limits(496));
    expect(pieces[0]!.ids).toHaveLength(384);
    expect(pieces[1]!.offset).toBe(384 - 5 - 128);
    const wide = await encodeQuestions(inputs, encoder, limits(496), { maxTokens: 496 });
    expect(wide.pieces[0]!.ids).toHaveLength(496);
  });

  it.each([
    [{ maxTokens: 17 }, 'maxTokens is 17; it must be a whole number from 1 to 16'],
    [{ docStride: 16 }, 'docStride is 16'],
    [{ docStride: -1 }, 'docStride is -1'],
    [{ maxQuestionTokens: 0 }, 'maxQuestionTokens is 0'],
  ])('refuse %j', async (options, message) => {
    await expect(encodeQuestions([input('q', 'c')], encoder, limits(16), options)).rejects.toThrow(
      expect.objectContaining({ code: 'bad_option', message: expect.stringContaining(message) }),
    );
  });

  it.each([
    ['a question to be cut', input('abc', 'defg')],
    ['a question without tokens', input(' ', 'defg')],
    ['a context without tokens', input('a', ' ')],
  ])('refuse a length that the special tokens use up, for %s', async (_, one) => {
    await expect(encodeQuestions([one], encoder, limits(4, true))).rejects.toThrow(
      expect.objectContaining({
        code: 'bad_option',
        message:
          'maxTokens is 4; 4 special tokens stand around question and context, so at least 5 are needed',
      }),
    );
  });

  it('can be of one token of the context each', async () => {
    const { pieces } = await encodeQuestions([input('abc', 'de')], encoder, limits(5, true));
    expect(pieces.map(({ ids }) => ids)).toEqual([
      [0, 2, 2, 100, 2],
      [0, 2, 2, 101, 2],
    ]);
  });

  it('give a context without tokens a window without any', async () => {
    const { pieces } = await encodeQuestions([input('q', ' ')], encoder, limits(16));
    expect(pieces).toMatchObject([{ ids: [0, 113, 2, 2, 2], context: { first: 4 } }]);
    expect(pieces[0]!.context.starts).toHaveLength(0);
  });
});

describe.skipIf(!existsSync(`${MINI}tokenizer.json`))('windows of a real tokenizer', () => {
  const tokenizer = Tokenizer.open(MINI);

  it('handle 20,000 tokens', async () => {
    const sentence = 'The river Nile flows north through eleven countries. ';
    const context = sentence.repeat(2200);
    const { pieces, contexts } = await encodeQuestions(
      [input('Where does it flow?', context)],
      tokenizer,
      limits(498),
    );
    const [{ starts, ends }] = contexts as [(typeof contexts)[0]];
    expect(starts.length).toBeGreaterThan(20_000);
    expect(pieces.length).toBeGreaterThan(80);
    const last = pieces.at(-1)!.context;
    expect(last.ends.at(-1)).toBe(ends.at(-1));
    expect(context.slice(last.starts.at(-2), last.ends.at(-1))).toMatch(/\.$/);
  });

  it('end tokens where their characters end, in every script', async () => {
    const context = 'Ὁ Σωκράτης 😀 कि ﬁn नमस्ते 東京タワー e\u0301te مرحبا ㎏ ½';
    const { pieces } = await encodeQuestions([input('?', context)], tokenizer, limits(498));
    const { starts, ends } = pieces[0]!.context;
    const characters = [...context];
    const covered = new Set<number>();
    starts.forEach((start, i) => {
      for (let at = start; at < ends[i]!; at++) covered.add(at);
    });
    expect(
      characters
        .filter((_, i) => !covered.has(i))
        .join('')
        .trim(),
    ).toBe('');
  });
});
