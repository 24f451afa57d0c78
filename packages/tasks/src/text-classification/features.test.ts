import { describe, expect, it } from 'vitest';
import { characterEncoder as encoder } from '../testing/sources.ts';
import { textClassification as task } from './index.ts';
import type { TextExample } from './types.ts';

const example = (text: string, gold: string | undefined, line: number): TextExample => ({
  input: { text },
  gold,
  language: undefined,
  line,
});
const limits = { maxTokens: 5, truncate: false };

describe('features', () => {
  it('are the ids with the index of the label', async () => {
    const examples = [example('ab', 'y', 1), example('c', 'x', 2)];
    expect(await task.features(examples, ['x', 'y'], encoder, limits)).toEqual({
      features: [
        { example: 0, ids: [0, 97, 98, 2], typeIds: [0, 0, 0, 0], target: 1 },
        { example: 1, ids: [0, 99, 2], typeIds: [0, 0, 0], target: 0 },
      ],
      issues: [],
      truncated: 0,
    });
  });

  it('encode pairs together', async () => {
    const inputs = [{ text: 'a', textPair: 'b' }];
    const { pieces } = await task.encode(inputs, encoder, { maxTokens: 9, truncate: false });
    expect(pieces).toEqual([
      { example: 0, ids: [0, 97, 2, 0, 98, 2], typeIds: [0, 0, 0, 1, 1, 1] },
    ]);
  });

  it('refuse a text that is too long with its token count, and keep the others', async () => {
    const examples = [example('abcd', 'x', 3), example('abc', 'x', 4)];
    const { features, issues, truncated } = await task.features(examples, ['x'], encoder, limits);
    expect(features.map((feature) => feature.example)).toEqual([1]);
    expect(truncated).toBe(0);
    expect(issues).toMatchObject([
      { code: 'too_many_tokens', severity: 'error', line: 3, tokens: 6, limit: 5 },
    ]);
    expect(issues[0]!.message).toContain('6 tokens');
  });

  it('cut it only when asked to, and say so', async () => {
    const examples = [example('abcd', 'x', 3)];
    const { features, issues, truncated } = await task.features(examples, ['x'], encoder, {
      maxTokens: 5,
      truncate: true,
    });
    expect(features[0]!.ids).toHaveLength(5);
    expect(truncated).toBe(1);
    expect(issues).toMatchObject([{ code: 'truncated', severity: 'warning', tokens: 6, limit: 5 }]);
  });

  it('handle 100,000 characters', async () => {
    const text = 'x'.repeat(100_000);
    const { overruns, pieces } = await task.encode([{ text }], encoder, limits);
    expect(overruns).toEqual([{ example: 0, tokens: 100_002 }]);
    expect(pieces).toEqual([]);
  });

  it('leave out rows whose label is missing or not learned', async () => {
    const examples = [example('a', 'z', 1), example('b', undefined, 2), example('c', 'x', 3)];
    const { features, issues } = await task.features(examples, ['x'], encoder, limits);
    expect(features.map((feature) => feature.example)).toEqual([2]);
    expect(issues).toMatchObject([
      { code: 'unknown_label', line: 1, label: 'z' },
      { code: 'missing_label', line: 2 },
    ]);
  });

  it('number the examples across encoder batches', async () => {
    const examples = Array.from({ length: 2500 }, (_, i) => example(`${i % 10}`, 'x', i + 1));
    const { features } = await task.features(examples, ['x'], encoder, limits);
    expect(features.map((feature) => feature.example)).toEqual(examples.map((_, i) => i));
    expect(features.every(({ ids, example: i }) => ids[1] === 48 + (i % 10))).toBe(true);
  });
});

describe('labels', () => {
  it('are in the order of code points, whatever the order of the rows', () => {
    const spelled = ['b', '\u{1f600}', 'a', 'B', '\uffee', 'é', 'b', '10', '9'];
    const forward = task.labels(spelled.map((gold, i) => example('t', gold, i)));
    const backward = task.labels(spelled.toReversed().map((gold, i) => example('t', gold, i)));
    expect(forward).toEqual(['10', '9', 'B', 'a', 'b', 'é', '\uffee', '\u{1f600}']);
    expect(backward).toEqual(forward);
  });
});
