import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkSplits } from './text-classification/check-splits.ts';
import { textClassification } from './text-classification/index.ts';

const FOLDER = fileURLToPath(new URL('../../../examples/topics/', import.meta.url));
const TOPICS = ['food', 'health', 'money', 'music', 'travel', 'weather'];
const LANGUAGES = 'ar de en es fi fr hi id it ja pt ru sw tr vi zh'.split(' ');

const read = (name: string, purpose: 'train' | 'evaluate') =>
  textClassification.parse({ name, bytes: readFileSync(FOLDER + name) }, { purpose });
const train = read('train.jsonl', 'train');
const dev = read('dev.jsonl', 'evaluate');
const test = read('test.jsonl', 'evaluate');
const evenly = (keys: readonly string[], count: number) =>
  Object.fromEntries(keys.map((key) => [key, count]));

describe('the topics example', () => {
  it('has three files without any issue', () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.jsonl'));
    expect(files.sort()).toEqual(['dev.jsonl', 'test.jsonl', 'train.jsonl']);
    for (const report of [train, dev, test]) expect(report.issues).toEqual([]);
  });

  it('is balanced over topics and languages', () => {
    expect(train.labels).toEqual(evenly(TOPICS, 55));
    expect(dev.labels).toEqual(evenly(TOPICS, 10));
    expect(test.labels).toEqual(evenly(TOPICS, 4 * LANGUAGES.length));
    expect(test.languages).toEqual(evenly(LANGUAGES, 4 * TOPICS.length));
    const cells = test.examples.map(({ gold, language }) => `${gold} ${language}`);
    const counts = [...Map.groupBy(cells, (cell) => cell).values()].map((group) => group.length);
    expect(new Set(counts)).toEqual(new Set([4]));
    expect(textClassification.labels(train.examples)).toEqual(TOPICS);
  });

  it('has no sentence in two files', () => {
    for (const [one, other] of [
      [train, dev],
      [train, test],
      [dev, test],
    ] as const) {
      expect(checkSplits(one.examples, other.examples).issues).toEqual([]);
    }
  });
});
