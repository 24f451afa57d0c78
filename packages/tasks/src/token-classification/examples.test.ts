import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tokenClassification as task } from './index.ts';

const FOLDER = fileURLToPath(new URL('../../../../examples/ner/', import.meta.url));
const read = (name: string, purpose: 'train' | 'evaluate') =>
  task.parse({ name, bytes: readFileSync(FOLDER + name) }, { purpose });

describe('the example of names', () => {
  const train = read('train.conll', 'train');
  const dev = read('dev.conll', 'evaluate');
  const test = read('test.jsonl', 'evaluate');

  it('has three files without any issue', () => {
    for (const report of [train, dev, test]) expect(report.issues).toEqual([]);
    expect([train, dev, test].map(({ examples }) => examples.length)).toEqual([80, 20, 17]);
    expect(task.checkSplits(train.examples, dev.examples).issues).toEqual([]);
  });

  it('names people, places and organisations', () => {
    for (const { labels } of [train, dev, test]) {
      expect(Object.keys(labels)).toEqual(['LOC', 'ORG', 'PER']);
    }
    expect(Object.keys(test.languages).length).toBe(14);
  });
});
