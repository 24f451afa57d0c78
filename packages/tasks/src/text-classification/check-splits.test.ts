import { describe, expect, it } from 'vitest';
import { jsonLines, source } from '../testing/sources.ts';
import { checkSplits } from './check-splits.ts';
import { parseTexts } from './parse.ts';

const examples = (rows: readonly object[]) =>
  parseTexts(source('a.jsonl', jsonLines(rows)), { purpose: 'evaluate' }).examples;

describe('checkSplits', () => {
  const train = examples([
    { text: 'a', label: 'x' },
    { text: 'b', label: 'y' },
  ]);

  it('has nothing to say about sound splits', () => {
    expect(checkSplits(train, examples([{ text: 'c', label: 'x' }])).issues).toEqual([]);
  });

  it('refuses labels that training never sees, once each', () => {
    const dev = examples([
      { text: 'c', label: 'x' },
      { text: 'd', label: 'z' },
      { text: 'e', label: 'z' },
    ]);
    const { errors, issues } = checkSplits(train, dev);
    expect(errors).toBe(1);
    expect(issues).toMatchObject([
      { code: 'label_only_in_dev', severity: 'error', label: 'z', line: 2, count: 2 },
    ]);
  });

  it('warns of rows that training has seen', () => {
    const dev = examples([
      { text: 'c', label: 'x' },
      { text: 'b', label: 'x' },
    ]);
    expect(checkSplits(train, dev).issues).toMatchObject([
      { code: 'row_in_train', severity: 'warning', line: 2, trainLine: 2 },
    ]);
  });
});
