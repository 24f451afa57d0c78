import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBackbone } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { afterAll, expect, it } from 'vitest';
import { PAPERS } from './papers.ts';
import { summarise } from './results.ts';
import type { RunRecord } from './run.ts';
import { relateTokenization } from './token-analysis.ts';

const folder = mkdtempSync(join(tmpdir(), 'polyprompt-token-analysis-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('measures what is read, not the name of a question', async () => {
  writeTinyBackbone(folder, { family: 'roberta', words: ['rain', 'snow'] });
  const tokenizer = openBackbone(folder).tokenizer();
  const task = PAPERS.tu2022.tasks.find(({ id }) => id === 'xquad')!;
  const input = { question: 'rain?', context: 'rain, snow' };
  const example = { gold: [], language: undefined, line: 1 };
  const languages = new Map([
    ['de', [{ ...example, input }]],
    ['ru', [{ ...example, input: { ...input, id: '56beb4343aeaaa14008c925b' } }]],
  ]);
  const score = { score: 50, metrics: {}, examples: 1 };
  const records = (['FT', 'PT'] as const).map(
    (method) => ({ method, seed: 1, scores: { de: score, ru: score } }) as unknown as RunRecord,
  );
  const results = [summarise(task, records)];
  const tests = new Map([[task.id, languages]]);
  const { tokenization } = await relateTokenization(tokenizer, [task], tests, results);
  expect(tokenization.xquad!.de).toMatchObject({ words: 3, fertility: 1 });
  expect(tokenization.xquad!.ru).toEqual(tokenization.xquad!.de);
});
