/** The commands one after the other, as a person uses them, on a tiny model. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, finished, jsonLines, makeWorld, QUICK, rows, start } from './testing/cli.ts';

const world = makeWorld();
afterAll(world.remove);
const backbone = world.backbone('model');
const train = world.file('train.jsonl', jsonLines(rows(64)));
const dev = world.file('dev.jsonl', jsonLines(rows(80).slice(64)));
const data = ['--backbone', backbone, '--train', train, '--dev', dev];
const prompt = world.path('prompt');
const use = ['--prompt', prompt, '--backbone', backbone];

interface AnswerLine {
  line: number;
  text: string;
  label: string;
  score: number;
  scores: { label: string; score: number }[];
  truncated?: true;
  tokens?: number;
  error?: { code: string; message: string };
}

function answers(stdout: string): AnswerLine[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as AnswerLine);
}

const hashOf = (out: string) =>
  createHash('sha256')
    .update(readFileSync(`${out}/prompt.safetensors`))
    .digest('hex');

beforeAll(async () => {
  const { code, stdout, stderr } = await cli(['tune', ...data, '--out', prompt, ...QUICK]);
  expect(code, stderr).toBe(0);
  // Progress goes to standard error, one line per evaluation; the result to standard output.
  expect(stderr).toMatch(/^prefix of 3 for model \(xlm-roberta, .* parameters\)/);
  expect(
    stderr.match(/^step \d+\/240 {2}loss .* dev accuracy .* tokens\/s .* left$/gm),
  ).toHaveLength(30);
  expect(stdout).toMatch(/^best dev accuracy \d\.\d{4} at step \d+; 240 steps in /);
  // 2 layers x 2 x 32 hidden x 3; head 32 x 2 + 2.
  expect(stdout).toMatch(/tuned 384 values, .* % of the backbone; with the head 450, .* %/);
  expect(stdout).toContain(
    `npx polyprompt predict --prompt ${prompt} --backbone ${backbone} --text`,
  );
});

describe('predict', () => {
  it('answers texts with the scores of all labels, best first', async () => {
    const { code, stdout, stderr } = await cli([
      'predict',
      ...use,
      '--text',
      'the rain',
      'the soup',
    ]);
    expect(code, stderr).toBe(0);
    const lines = answers(stdout);
    expect(lines.map(({ text, label }) => [text, label])).toEqual([
      ['the rain', 'weather'],
      ['the soup', 'food'],
    ]);
    for (const { label, score, scores } of lines) {
      expect(scores[0]).toEqual({ label, score });
      expect(scores[0]!.score).toBeGreaterThan(scores[1]!.score);
      expect(scores[0]!.score + scores[1]!.score).toBeCloseTo(1, 5);
    }
  });

  it('keeps the order of a file whatever the lengths, and answers around bad rows', async () => {
    const texts = rows(40).map(({ text }, i) => ({
      text: `${text} ${'the '.repeat((i * 7) % 11)}`,
    }));
    const content = jsonLines(texts).split('\n');
    content[10] = '{"text": 7}';
    content[20] = '{"text"';
    content.splice(30, 0, '', JSON.stringify({ text: 'the '.repeat(500) }));
    const file = world.file('many.jsonl', content.join('\n'));
    const args = ['predict', ...use, '--file', file, '--batch-tokens', '64', '--top-k', '1'];
    const { code, stdout, stderr } = await cli(args);
    expect(code).toBe(2);
    const lines = answers(stdout);
    expect(lines.map(({ line }) => line)).toEqual(
      Array.from({ length: 42 }, (_, i) => i + 1).filter((line) => line !== 31),
    );
    expect(lines[9]!.text).toBe(texts[9]!.text);
    expect(lines[9]!.scores).toHaveLength(1);
    expect(lines[10]).toEqual({ line: 11, error: expect.objectContaining({ code: 'wrong_type' }) });
    expect(lines[20]!.error!.code).toBe('malformed_json');
    expect(lines[30]).toMatchObject({ line: 32, tokens: 502, error: { code: 'too_many_tokens' } });
    expect(stderr).toMatch(/3 rows got no answer/);
    expect(stderr).toMatch(/line 32: the text has 502 tokens.*the limit is 61; .*--truncate/);
  });

  it('cuts long texts when asked to, and says so', async () => {
    const long = 'the rain '.repeat(11_111);
    const { code, stdout, stderr } = await cli(['predict', ...use, '--file', '-', '--truncate'], {
      input: `${long}\nthe soup\n`,
    });
    expect(code).toBe(0);
    const [cut, whole] = answers(stdout);
    expect(cut).toMatchObject({ truncated: true, tokens: 22_224 });
    expect(whole).not.toHaveProperty('truncated');
    expect(stderr).toContain('1 text cut to 61 tokens, as --truncate asked');
  });

  it('answers a pipe line by line, while it is still open', async () => {
    const child = start(['predict', ...use, '--file', '-']);
    const done = finished(child);
    for (const text of ['the rain', 'the soup']) {
      child.stdin!.write(`${text}\n`);
      const [chunk] = (await once(child.stdout!, 'data')) as [Buffer];
      expect(JSON.parse(chunk.toString())).toMatchObject({ text });
    }
    child.stdin!.end();
    expect((await done).code).toBe(0);
  });

  it('reads CSV with pairs, and stops quietly when nobody reads on', async () => {
    const csv = world.file(
      'pairs.csv',
      `text,text_pair\n${'"the rain","the, soup"\n'.repeat(3000)}`,
    );
    const child = start(['predict', ...use, '--file', csv]);
    const [chunk] = (await once(child.stdout!, 'data')) as [Buffer];
    expect(chunk.toString()).toMatch(/^\{"line":2,"text":"the rain","text_pair":"the, soup",/);
    child.stdout!.destroy();
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(0);
  });

  it('refuses a backbone that the prompt was not trained on, by name', async () => {
    const other = world.backbone('other', { seed: 2 });
    const wrong = await cli(['predict', '--prompt', prompt, '--backbone', other, '--text', 'rain']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(/trained on backbone "model".*the loaded one is "other"/s);
    const none = await cli(['predict', '--prompt', prompt, '--text', 'rain']);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toMatch(
      /trained on backbone "model".*give its folder with --backbone DIR/s,
    );
  });
});

describe('evaluate', () => {
  it('prints a table per file and language, and every label in detail', async () => {
    const plain = world.file(
      'plain.csv',
      'text,label\nthe rain,weather\nthe soup,food\nthe sun,sky\n',
    );
    const { code, stdout, stderr } = await cli([
      'evaluate',
      ...use,
      '--data',
      dev,
      plain,
      '--details',
    ]);
    expect(code, stderr).toBe(0);
    const [table] = stdout.split('\n\n');
    expect(table!.split('\n').map((line) => line.split(/ {2,}/).slice(0, -2))).toEqual([
      ['file', 'language', 'examples'],
      [dev, 'de', '8'],
      [dev, 'en', '8'],
      [dev, 'all', '16'],
      [plain, '3'],
      ['all files', '19'],
    ]);
    expect(stdout).toMatch(/label +precision +recall +f1 +examples/);
    expect(stderr).toContain(`${plain}: the prompt does not know the label "sky"`);
  });

  it('gives everything as JSON, in agreement with what training measured', async () => {
    const { stdout } = await cli(['evaluate', ...use, '--data', dev, '--json']);
    const { files, overall, labels } = JSON.parse(stdout);
    const card = JSON.parse(readFileSync(`${prompt}/card.json`, 'utf8'));
    expect(labels).toEqual(['food', 'weather']);
    expect(files[0]).toMatchObject({ file: dev, examples: 16, metrics: card.metrics.dev.overall });
    expect(files[0].languages.de.metrics).toEqual(card.metrics.dev.languages.de);
    expect(overall.confusion.flat().reduce((a: number, b: number) => a + b)).toBe(16);
  });
});

describe('--precision', () => {
  it('answers in int8 with nearly the scores of float32', async () => {
    const ask = async (...precision: string[]) => {
      const { code, stdout, stderr } = await cli([
        'predict',
        ...use,
        '--text',
        'the rain',
        ...precision,
      ]);
      expect(code, stderr).toBe(0);
      return answers(stdout)[0]!;
    };
    const [float32, int8] = [await ask(), await ask('--precision', 'int8')];
    expect(int8.label).toBe(float32.label);
    expect(int8.score).toBeCloseTo(float32.score, 1);
    expect(int8.score).not.toBe(float32.score);
    const { code } = await cli(['evaluate', ...use, '--data', dev, '--precision', 'int8']);
    expect(code).toBe(0);
  });

  it('is refused with the choices where it is none of them', async () => {
    const { code, stderr } = await cli(['evaluate', ...use, '--data', dev, '--precision', 'int4']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/'int4' is invalid.*float32, float16, int8/);
  });
});

describe('prompt and backbone', () => {
  it('show what a prompt is', async () => {
    const { code, stdout } = await cli(['prompt', 'show', prompt]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/labels +2: food, weather/);
    expect(stdout).toMatch(/method +prefix, 3 virtual tokens/);
    expect(stdout).toMatch(/^dev +accuracy +f1_macro$/m);
  });

  it('verify folders and name the damaged file', async () => {
    const { code, stdout } = await cli(['prompt', 'verify', prompt]);
    expect([code, stdout]).toEqual([0, `${prompt}: sound\n`]);
    const damaged = world.path('damaged');
    const made = await cli(['tune', ...data, '--out', damaged, ...QUICK, '--quiet', '--json']);
    expect(made.stderr).toBe('');
    expect(JSON.parse(made.stdout)).toMatchObject({
      out: damaged,
      steps: 240,
      tuned: { head: 66 },
    });
    // The same data and seed, so the same bytes.
    expect(hashOf(damaged)).toBe(hashOf(prompt));
    const bytes = readFileSync(`${damaged}/prompt.safetensors`);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(`${damaged}/prompt.safetensors`, bytes);
    const found = await cli(['prompt', 'verify', prompt, damaged]);
    expect(found.code).toBe(1);
    expect(found.stdout).toBe(`${prompt}: sound\n`);
    expect(found.stderr).toMatch(/damaged\/prompt\.safetensors: damaged.*\[damaged\]/);
  });

  it('show what a backbone is', async () => {
    const { stdout } = await cli(['backbone', 'show', backbone]);
    expect(stdout).toMatch(/model type +xlm-roberta/);
    expect(stdout).toMatch(/shape +2 layers of 32, 4 heads, 64 inside/);
    expect(stdout).toMatch(/fingerprint +sha256:[0-9a-f]{64}/);
    const { stdout: json } = await cli(['backbone', 'show', backbone, '--json']);
    expect(JSON.parse(json)).toMatchObject({
      hidden: 32,
      dtypes: ['F32'],
      usable_tokens: 64,
      pooler: false,
    });
  });
});

describe('tune', () => {
  it('shows how to ask about pairs where it was trained on pairs', async () => {
    const pairs = rows(64).map((row) => ({ ...row, text_pair: 'the is' }));
    const out = world.path('paired');
    const file = world.file('pairs.jsonl', jsonLines(pairs));
    const args = ['tune', '--backbone', backbone, '--train', file, '--out', out, ...QUICK];
    const { stdout, stderr } = await cli([...args, '--epochs', '1']);
    const hint = stdout.match(/^try: npx polyprompt (.*)$/m)?.[1];
    expect(hint, stderr).toMatch(/--text "\.\.\." --text-pair "\.\.\."$/);
    const asked = await cli(hint!.replaceAll('"...', 'the').replaceAll('"', '').split(' '));
    expect(asked.code, asked.stderr).toBe(0);
    expect(answers(asked.stdout)[0]).toMatchObject({ text: 'the', text_pair: 'the' });
  });

  it('does not replace a prompt unless forced to', async () => {
    const again = ['tune', ...data, '--out', prompt, ...QUICK];
    const refused = await cli(again);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/holds a prompt already; choose another --out, or --force/);
    const complete = await cli([...again, '--resume']);
    expect(complete).toMatchObject({ code: 0, stdout: '' });
    expect(complete.stderr).toMatch(/is complete/);
    const before = hashOf(prompt);
    expect((await cli([...again, '--force'])).code).toBe(0);
    expect(hashOf(prompt)).toBe(before);
  });

  it('fine-tunes a whole model, which prediction then finds by itself', async () => {
    const out = world.path('full');
    const tuned = await cli([
      'tune',
      ...data,
      '--out',
      out,
      '--method',
      'full',
      ...QUICK,
      '--lr',
      '0.01',
    ]);
    expect(tuned.code, tuned.stderr).toBe(0);
    expect(tuned.stdout).toMatch(/100 % of the backbone/);
    expect(existsSync(`${out}/backbone/model.safetensors`)).toBe(true);
    const { code, stdout } = await cli(['predict', '--prompt', out, '--text', 'the rain']);
    expect(code).toBe(0);
    expect(answers(stdout)[0]!.label).toBe('weather');
    // Training on from there must not write over what it reads.
    const onto = ['tune', '--backbone', `${out}/backbone`, '--train', train, '--out', out];
    const refused = await cli([...onto, '--method', 'full', '--force']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/is the backbone to train from, and would be replaced/);
  });
});
