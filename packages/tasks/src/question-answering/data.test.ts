import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ParseOptions } from '../datasets/report.ts';
import { checkQuestionSplits, parseQuestions } from './parse.ts';

const at = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const EXAMPLES = at('examples/qa/');
const DATA = at('../shared/data/');

const read = (path: string, options?: ParseOptions) =>
  parseQuestions({ name: path, bytes: readFileSync(path) }, options);

describe('the question answering example', () => {
  const train = read(`${EXAMPLES}train.json`);
  const dev = read(`${EXAMPLES}dev.json`, { purpose: 'evaluate' });
  const test = read(`${EXAMPLES}test.jsonl`, { purpose: 'evaluate' });

  it('has three files without any issue', () => {
    for (const report of [train, dev, test]) expect(report.issues).toEqual([]);
    expect([train, dev, test].map(({ examples }) => examples.length)).toEqual([48, 9, 24]);
    expect([train.languages, dev.languages]).toEqual([{ en: 48 }, { en: 9 }]);
    expect(Object.values(test.languages)).toEqual(Array(12).fill(2));
  });

  it('has no question in two files', () => {
    expect(checkQuestionSplits(train.examples, dev.examples).issues).toEqual([]);
    expect(checkQuestionSplits(train.examples, test.examples).issues).toEqual([]);
  });
});

describe.skipIf(!existsSync(DATA))('published data sets (skipped without ../shared/data)', () => {
  it('XQuAD: every answer of every language is where it should be', () => {
    for (const language of 'ar de en es hi ro ru tr zh'.split(' ')) {
      const report = read(`${DATA}xquad/xquad.${language}.json`, { purpose: 'evaluate', language });
      expect(report).toMatchObject({ valid: true, languages: { [language]: 1190 } });
    }
  });

  it('TyDi QA and SquadShifts, gzipped, on one line each', () => {
    expect(read(`${DATA}tydiqa-goldp/en.train.json.gz`)).toMatchObject({
      valid: true,
      format: 'json',
      labels: { answerable: 3696 },
    });
    const shifts = read(`${DATA}squadshifts-wiki/new_wiki.json.gz`);
    expect(shifts).toMatchObject({ valid: true, labels: { answerable: 7938 } });
  });

  it('TyDi QA without its answers: good to predict for, refused for scoring', () => {
    const path = `${DATA}tydiqa-goldp/sw.dev.json.gz`;
    const report = read(path, { purpose: 'evaluate' });
    expect(report).toMatchObject({ valid: false, counts: { empty_text: 499 } });
    expect(read(path, { purpose: 'predict' }).examples).toHaveLength(499);
  });
});
