import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBackbone } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { measureTokenization } from './tokenization.ts';

const folder = mkdtempSync(join(tmpdir(), 'polyprompt-tokens-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let tokenizer: ReturnType<ReturnType<typeof openBackbone>['tokenizer']>;
beforeAll(() => {
  writeTinyBackbone(folder, { family: 'roberta', words: ['rain', 'snow'] });
  tokenizer = openBackbone(folder).tokenizer();
});

it('counts words, pieces and characters of the text alone', async () => {
  const whole = await measureTokenization(tokenizer, ['rain, snow!'], 'en', null);
  expect(whole).toEqual({
    words: 2,
    fertility: 1,
    charactersPerSubword: 4,
    splitWords: 0,
    unknown: 0,
  });
  const cut = await measureTokenization(tokenizer, ['rain abc'], 'en', null);
  expect(cut.words).toBe(2);
  expect(cut.fertility).toBeGreaterThan(1);
  expect(cut.splitWords).toBe(0.5);
});

it('finds words in scripts without spaces, and unknown pieces', async () => {
  const { unk } = tokenizer.specialIds;
  const japanese = await measureTokenization(tokenizer, ['雨が降る。'], 'ja', unk!);
  expect(japanese.words).toBeGreaterThan(1);
  expect(japanese.unknown).toBeGreaterThan(0);
});

it('has numbers for a language without text', async () => {
  const none = await measureTokenization(tokenizer, ['...', ''], 'xx', null);
  expect(Object.values(none).every(Number.isFinite)).toBe(true);
});
