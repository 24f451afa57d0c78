/** `polyprompt tune`: candidates, continuing from a prompt, and what its options refuse. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cli, jsonLines, makeWorld, rows } from './testing/cli.ts';

const world = makeWorld();
afterAll(world.remove);
const backbone = world.backbone('model');
const train = world.file('train.jsonl', jsonLines(rows(48)));
const dev = world.file('dev.jsonl', jsonLines(rows(64).slice(48)));
const data = ['--backbone', backbone, '--train', train, '--dev', dev];
const short = ['--epochs', '2', '--length', '3', '--batch-size', '8'];

describe('polyprompt tune', () => {
  it('tries candidates, says how each did, and continues from the best', async () => {
    const first = world.path('first');
    const lists = 'lr=1e-4,5e-2;seed=1,2';
    const tried = await cli(['tune', ...data, ...short, '--out', first, '--candidates', lists]);
    expect(tried.code, tried.stderr).toBe(0);
    expect(tried.stderr).toMatch(/^4 candidates, the first: prefix of 3 for model/);
    expect(tried.stderr).toMatch(/^lr=0.05 seed=2 {2}step 12\/12 {2}loss/m);
    expect(tried.stdout.match(/^ {2}lr=0.0001 seed=[12] {2}\d\.\d{4}$/gm)).toHaveLength(2);
    expect(tried.stdout.match(/^\* lr=0.05 seed=[12] {2}\d\.\d{4}$/gm)).toHaveLength(1);

    const second = world.path('second');
    const args = ['tune', '--backbone', backbone, '--train', train, '--dev', dev, '--json'];
    const on = await cli([...args, '--epochs', '1', '--from', first, '--out', second]);
    expect(on.code, on.stderr).toBe(0);
    expect(on.stderr).toMatch(/^prefix of 3 for model/);
    const { hash } = JSON.parse(readFileSync(join(first, 'card.json'), 'utf8'));
    expect(JSON.parse(on.stdout).parent).toEqual({ ref: 'first', hash });

    const show = async (dir: string) => (await cli(['prompt', 'show', dir])).stdout;
    expect((await show(first)).match(/lr=\S+ seed=[12] {2}\d/g)).toHaveLength(4);
    expect(await show(second)).toContain(`continues  first (card ${hash})`);
  });

  it.each([
    [['--candidates', 'rate=1'], /"rate" is none of lr, seed, length/],
    [['--candidates', 'lr=1e-3;lr=1'], /lr is given twice/],
    [['--from', 'nowhere'], /nowhere: no card.json: not a prompt folder/],
    [['--verbalizer', 'weather'], /Give label=word, separated by commas/],
    [['--verbalizer', 'weather=a,food=b'], /needs a decoder that predicts words/],
    [['--method', 'head', '--reparameterise', '8'], /method "head" has none/],
  ])('refuses %j', async (more, message) => {
    const out = world.path('refused');
    const { code, stderr } = await cli(['tune', ...data, ...short, '--out', out, ...more]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});
