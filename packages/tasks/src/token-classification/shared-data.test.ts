import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@polyprompt/backbone';
import { describe, expect, it } from 'vitest';
import { tokenClassification as task } from './index.ts';

const DATA = join(import.meta.dirname, '../../../../../shared/data');
const SHIPPED = join(import.meta.dirname, '../../../../models/polyprompt-mini');

describe.skipIf(!existsSync(DATA))('published data sets (skipped without ../shared/data)', () => {
  const parse = (name: string) =>
    task.parse({ name, bytes: readFileSync(join(DATA, name)) }, { purpose: 'evaluate' });

  it('Universal NER: every set, with the counts of its source', () => {
    const files = globSync('{uner,ner-other}/*.jsonl.gz', { cwd: DATA });
    expect(files.length).toBeGreaterThan(15);
    for (const file of files) {
      const { errors, counts, labels } = parse(file);
      expect(errors).toBe(0);
      expect(counts.mended_tags ?? 0).toBe(0);
      expect(Object.keys(labels).filter((label) => !['LOC', 'ORG', 'PER'].includes(label))).toEqual(
        [],
      );
    }
    expect(parse('uner/en.train.jsonl.gz').labels).toEqual({ LOC: 2698, ORG: 1434, PER: 2873 });
    expect(parse('ner-other/ja.test.jsonl.gz').labels).toEqual({ LOC: 641, ORG: 916, PER: 531 });
  });

  it('Universal Dependencies: every set, 17 tags at most', () => {
    const files = globSync('ud-pos/**/*.test.jsonl.gz', { cwd: DATA });
    expect(files.length).toBeGreaterThan(15);
    for (const file of files) {
      const { errors, columns, labels } = parse(file);
      expect(errors).toBe(0);
      expect(columns).toMatchObject({ tags: 'upos' });
      expect(Object.keys(labels).length).toBeLessThanOrEqual(17);
    }
  });

  it('slots of xSID, and its words that are empty', () => {
    expect(parse('xsid/en.valid.jsonl')).toMatchObject({ valid: true, columns: { tags: 'slots' } });
    expect(parse('xsid/zh.test.jsonl').counts).toMatchObject({ empty_token: 6 });
  });

  it('label every word of Arabic, Hindi and Chinese with the shipped tokenizer', async () => {
    const tokenizer = Tokenizer.open(SHIPPED);
    for (const name of ['ar', 'hi', 'zh']) {
      const { examples } = parse(`ud-pos/pud/${name}.test.jsonl.gz`);
      const some = examples.slice(0, 200);
      const labels = task.labels(examples);
      const limits = { maxTokens: 64, truncate: false };
      const { features, issues } = await task.features(some, labels, tokenizer, limits);
      expect(issues).toEqual([]);
      const labelled = features.flatMap(({ target }) => target.filter((index) => index >= 0));
      expect(labelled).toHaveLength(some.flatMap(({ gold }) => gold!.tags!).length);
    }
  });
});
