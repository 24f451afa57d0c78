/** Everything that people get wrong: one clear message, the right exit code, never a stack. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { program } from './run.ts';
import { cli, jsonLines, makeWorld, QUICK, rows } from './testing/cli.ts';

const world = makeWorld();
afterAll(world.remove);
const backbone = world.backbone('model');
const train = world.file('train.jsonl', jsonLines(rows(32)));

async function refused(args: string[], message: RegExp, code = 2): Promise<string> {
  const result = await cli(args);
  expect(result.stderr).toMatch(message);
  expect(result.code).toBe(code);
  expect(result.stdout).toBe('');
  expect(result.stderr).not.toMatch(/^\s+at /m);
  return result.stderr;
}

describe.concurrent('a model folder', () => {
  it('that is none', async () => {
    const dir = world.path('empty');
    mkdirSync(dir);
    await refused(['backbone', 'show', dir], /empty is not a model folder: it has no config\.json/);
  });

  it('of an unknown type', async () => {
    const dir = world.backbone('t5', { config: { model_type: 't5' } });
    await refused(['backbone', 'show', dir], /model_type "t5"; supported are xlm-roberta, .*xglm/);
  });

  it('with pickled weights', async () => {
    const dir = world.backbone('pickle');
    rmSync(`${dir}/model.safetensors`);
    writeFileSync(`${dir}/pytorch_model.bin`, 'PK');
    await refused(['backbone', 'show', dir], /pytorch_model\.bin, a pickle.*convert it.*python3/s);
  });

  const tensor = 'roberta.encoder.layer.1.attention.self.key.weight';

  it('that lacks a tensor', async () => {
    const dir = world.backbone('lacking', { edit: (tensors) => tensors.delete(tensor) });
    await refused(['backbone', 'show', dir], /the weights lack "roberta.*key\.weight" \[32,32\]/);
  });

  it('with a tensor of another shape', async () => {
    const dir = world.backbone('misshaped', {
      edit: (tensors) => {
        const { dtype, data } = tensors.get(tensor)!;
        tensors.set(tensor, { dtype, data, shape: [16, 64] } as never);
      },
    });
    const message = /key\.weight".* has shape \[16,64\], config\.json asks for \[32,32\]/;
    await refused(['backbone', 'show', dir], message);
  });

  it('with a truncated file', async () => {
    const dir = world.backbone('truncated');
    const bytes = readFileSync(`${dir}/model.safetensors`);
    writeFileSync(`${dir}/model.safetensors`, bytes.subarray(0, bytes.length - 100));
    const args = ['--train', train, '--out', world.path('out')];
    await refused(['tune', '--backbone', dir, ...args], /model\.safetensors.*truncated/s);
  });
});

describe.concurrent('training data', () => {
  const tune = (file: string, ...more: string[]) => [
    ...['tune', '--backbone', backbone, '--train', file, '--out', world.path(`${file}.out`)],
    ...more,
  ];
  const labelled = (labels: number, each: number) =>
    jsonLines(
      Array.from({ length: labels * each }, (_, i) => ({ text: `the ${i}`, label: i % labels })),
    );

  it('in a file that is empty or not there', async () => {
    const file = world.file('nothing.jsonl', '');
    await refused(tune(file), /nothing\.jsonl: error: the file is empty; .*\[empty_file\]/);
    await refused(tune(world.path('nowhere.csv')), /nowhere\.csv does not exist/);
  });

  it('with the wrong columns', async () => {
    const file = world.file('columns.csv', 'body,tag\nrain,weather\n');
    await refused(tune(file), /columns\.csv.*body.*tag/);
  });

  it('with one label only', async () => {
    const file = world.file('one.jsonl', labelled(1, 20));
    await refused(tune(file), /one\.jsonl: error: .*\[single_label\]/);
  });

  it('with a label that only the dev file has', async () => {
    const dev = world.file(
      'dev.jsonl',
      jsonLines([...rows(4), { text: 'a goal', label: 'sport' }]),
    );
    await refused(
      tune(train, '--dev', dev, '--out', world.path('dev.out')),
      /dev\.jsonl, line 5: error: .*"sport".*\[label_only_in_dev\]/,
    );
  });

  it('that is not UTF-8', async () => {
    const latin1 = Buffer.from('{"text":"caf\u00e9","label":"food"}\n', 'latin1');
    const file = world.file('latin1.jsonl', Buffer.concat([readFileSync(train), latin1]));
    await refused(tune(file), /latin1\.jsonl, line 33: error: byte [\d,]+ .* not UTF-8.*iconv/);
  });

  it('with 300 labels', async () => {
    const file = world.file('labels.jsonl', labelled(300, 8));
    await refused(tune(file), /300 different labels; the limit is 256/);
  });

  it('with many mistakes: the first of them and their number', async () => {
    const file = world.file('many.jsonl', '{"text":"","label":"food"}\n'.repeat(500));
    const stderr = await refused(tune(file), /many\.jsonl: 500 errors in all/);
    expect(stderr.split('\n').length).toBeLessThan(20);
  });

  it('with a text of 100,000 characters: refused by its tokens, or cut when asked to', async () => {
    const long = { text: 'the rain '.repeat(12_000).slice(0, 100_000), label: 'weather' };
    const file = world.file('long.jsonl', jsonLines([...rows(32), long, rows(1)[0]]));
    await refused(tune(file), /line 33: error: the text has 22,2\d\d tokens.*; the limit is 48/);
    const cut = await cli(tune(file, '--truncate', ...QUICK));
    expect(cut.code, cut.stderr).toBe(0);
    expect(cut.stderr).toMatch(/line 33: warning: the text has 22,2\d\d tokens.* is cut to 61/);
    expect(cut.stderr).toMatch(/line 34: warning: .*line 1.*\[duplicate_row\]/);
    // Warnings come before the training that they are about.
    expect(cut.stderr.lastIndexOf('warning')).toBeLessThan(cut.stderr.search(/^\d+ steps$/m));
  });

  it('for a prompt that the position table has no room for', async () => {
    await refused(
      tune(train, '--length', '62'),
      /length 62 leaves room for 2 tokens.*use a prompt of at most 61/,
    );
  });
});

describe.concurrent('usage', () => {
  it('without a command: the help, and exit code 2', async () => {
    await refused([], /Usage: polyprompt.*Examples:.*Exit codes:/s);
  });

  it('a typing error: what was meant', async () => {
    const args = ['tune', '--train', train, '--out', 'x'];
    await refused(
      [...args, '--lenght', '3'],
      /unknown option '--lenght'\n\(Did you mean --length\?\)/,
    );
  });

  it('every command shows examples and exit codes on --help', async () => {
    const { code, stdout, stderr } = await cli(['prompt', 'verify', '--help']);
    expect([code, stderr]).toEqual([0, '']);
    const helps = [stdout, ...leaves(program()).map(helpOf)];
    expect(helps.length).toBeGreaterThanOrEqual(7);
    for (const help of helps) {
      expect(help).toMatch(/Usage: polyprompt .*Examples:\n {2}polyprompt .*Exit codes:.*130/s);
    }
  });

  it('names options that are unknown, missing or wrong', async () => {
    await refused(['predict', '--text', 'a'], /required option '--prompt <dir>' not specified/);
    const tune = ['tune', '--train', train, '--out', 'x'];
    await refused([...tune, '--epochs', '1.5'], /'1\.5' is invalid.*whole number of at least 1/s);
    await refused([...tune, '--method', 'lora'], /Allowed choices are prefix, soft, full, head/);
    await refused([...tune, '--force', '--resume'], /'--resume' cannot be used with .*'--force'/);
  });

  it('wants one source of texts, and pairs that match', async () => {
    const predict = ['predict', '--prompt', 'x'];
    await refused(predict, /give either --text, or --question and --context, or --file/);
    const pair = [...predict, '--text', 'a', 'b', '--text-pair', 'c'];
    await refused(pair, /2 texts and 1 second texts/);
    await refused([...predict, '--text', 'a'], /x: no card\.json: not a prompt folder/);
  });

  it('wants data for a comparison', async () => {
    const dir = world.path('no-data');
    mkdirSync(dir);
    const reproduce = ['reproduce', 'tu2022', '--backbone', backbone, '--out', world.path('r')];
    await refused([...reproduce, '--data', dir], /no-data has data for none of the tasks xnli/);
    writeFileSync(`${dir}/reproduce.json`, '{');
    await refused([...reproduce, '--data', dir], /reproduce\.json is not JSON/);
  });

  it('shows the stack with DEBUG=polyprompt alone', async () => {
    const { stderr } = await cli(['backbone', 'show', 'nowhere'], { env: { DEBUG: 'polyprompt' } });
    expect(stderr).toMatch(/not a model folder.*\n\s+at /s);
  });
});

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  return help;
}
