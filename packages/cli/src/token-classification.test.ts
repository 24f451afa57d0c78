/** Tagging from the command line, on a tiny model that learns four names. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, jsonLines, makeWorld, QUICK } from './testing/cli.ts';

const TAGS: Readonly<Record<string, string[]>> = {
  anna: ['B-PER'],
  bert: ['B-PER'],
  oslo: ['B-LOC'],
  'new york': ['B-LOC', 'I-LOC'],
};
const OTHERS = ['the', 'rain', 'in', 'sun', ',', '😀'];
const WORDS = [...Object.keys(TAGS), ...OTHERS];

const world = makeWorld();
afterAll(world.remove);
const backbone = world.backbone('model', {
  words: 'anna bert oslo new york the rain in sun'.split(' '),
});

/** Sentences of one to six words in which a word alone decides. */
function sentences(count: number) {
  let state = 1;
  const draw = (limit: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
  return Array.from({ length: count }, (_, i) => {
    const words = Array.from({ length: 1 + draw(6) }, () => WORDS[draw(WORDS.length)]!);
    const tokens = words.flatMap((word) => word.split(' '));
    const tags = words.flatMap((word) => TAGS[word] ?? ['O']);
    return { tokens, tags, language: i % 2 ? 'en' : 'de' };
  });
}
const conll = sentences(128)
  .map(({ tokens, tags }) => tokens.map((word, i) => `${word}\t${tags[i]}\n`).join(''))
  .join('\n');

const prompt = world.path('names');
const use = ['--prompt', prompt, '--backbone', backbone, '--threads', '1'];
const test = world.file('test.jsonl', jsonLines(sentences(160).slice(128)));
const task = ['--task', 'token-classification'];

beforeAll(async () => {
  const data = ['--backbone', backbone, '--train', world.file('train.conll', conll), '--dev', test];
  const { code, stdout, stderr } = await cli(['tune', ...task, ...data, '--out', prompt, ...QUICK]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^best dev f1 1\.0000/);
}, 60_000);

describe('predict', () => {
  const lines = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('finds the names of texts, with their places', async () => {
    const { stdout } = await cli(['predict', ...use, '--text', 'the anna, new york', 'the sun']);
    expect(lines(stdout)).toMatchObject([
      {
        line: 1,
        text: 'the anna, new york',
        entities: [
          { entity_group: 'PER', word: 'anna', start: 4, end: 8 },
          { entity_group: 'LOC', word: 'new york', start: 10, end: 18 },
        ],
      },
      { line: 2, entities: [] },
    ]);
  });

  it('tags words that are split already, also from CoNLL without tags', async () => {
    const rows = world.file('words.jsonl', jsonLines([{ tokens: ['in', 'oslo'] }]));
    const [row] = lines((await cli(['predict', ...use, '--file', rows])).stdout);
    expect(row).toMatchObject({ tokens: ['in', 'oslo'], tags: ['O', 'B-LOC'] });
    const columns = world.file('words.conll', 'bert\nin\n\noslo\n');
    const { stdout } = await cli(['predict', ...use, '--file', columns]);
    expect(lines(stdout).map(({ tags }) => tags)).toEqual([['B-PER', 'O'], ['B-LOC']]);
  });

  it('takes the options of tagging', async () => {
    const options = ['--aggregation', 'none', '--ignore-labels', 'LOC', '--offset-unit', 'utf16'];
    const { stdout } = await cli(['predict', ...use, ...options, '--text', '😀 anna oslo']);
    const [{ entities }] = lines(stdout);
    expect(entities.find(({ word }: { word: string }) => word === 'anna')).toMatchObject({
      entity: 'B-PER',
      start: 3,
    });
    expect(JSON.stringify(entities)).not.toContain('oslo');
  });

  it('refuses the options of other tasks', async () => {
    const { code, stderr } = await cli(['predict', ...use, '--text', 'a', '--top-k', '1']);
    expect(code).toBe(2);
    expect(stderr).toContain('--top-k is nothing for a prompt of token-classification');
  });
});

describe('evaluate', () => {
  it('prints spans per language, and every label in detail', async () => {
    const { stdout } = await cli(['evaluate', ...use, '--data', test, '--details']);
    expect(stdout).toMatch(/language +examples +precision +recall +f1 +accuracy/);
    expect(stdout).toMatch(/ de +16( +1\.0000){4}/);
    expect(stdout).toMatch(/^LOC( +1\.0000){3} +\d+ +\d+$/m);
  });

  it('compares texts by offsets, in the unit of the data', async () => {
    const rows = [{ text: '😀 in oslo', entities: [{ start: 6, end: 10, label: 'LOC' }] }];
    const file = world.file('texts.jsonl', jsonLines(rows));
    const { stdout } = await cli([
      'evaluate',
      ...use,
      '--data',
      file,
      '--offset-unit',
      'utf16',
      '--json',
    ]);
    expect(JSON.parse(stdout).overall.metrics).toMatchObject({ recall: 1 });
  });

  it('mends tags that cannot follow each other, or refuses the file', async () => {
    const file = world.file('invalid.conll', 'anna B-PER\nthe O\noslo I-LOC\nin O\nbert B-PER\n');
    const { stdout } = await cli(['evaluate', ...use, '--data', file]);
    expect(stdout).toMatch(/ 1 +1\.0000 +1\.0000/);
    const refused = await cli(['evaluate', ...use, '--data', file, '--invalid-tags', 'refuse']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('invalid.conll, line 3: error: the tag "I-LOC" of word 3');
  });
});

it('says where training data is wrong', async () => {
  const bad = world.file('bad.conll', `${conll}\nanna B-PER\noslo\n`);
  const args = ['--backbone', backbone, '--train', bad, '--out', world.path('bad')];
  const { code, stderr } = await cli(['tune', ...task, ...args, ...QUICK]);
  expect(code).toBe(2);
  const line = readFileSync(bad, 'utf8').trimEnd().split('\n').length;
  expect(stderr).toContain(
    `bad.conll, line ${line}: error: the line has 1 column where the first has 2`,
  );
});
