/** PEFT adapters from and to the command line; what is imported predicts what was exported. */
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, jsonLines, makeWorld, QUICK, rows } from './testing/cli.ts';

const world = makeWorld();
const backbone = world.backbone('tiny', { pooler: true });
const prompt = world.path('prompt');
afterAll(() => world.remove());

beforeAll(async () => {
  const train = world.file('train.jsonl', jsonLines(rows(64)));
  const args = ['tune', '--backbone', backbone, '--train', train, '--dev', train, '--out', prompt];
  const { code, stderr } = await cli([...args, '--pooling', 'pooler', '--quiet', ...QUICK]);
  if (code !== 0) throw new Error(stderr);
});

const predict = async (folder: string) => {
  const args = [
    'predict',
    '--prompt',
    folder,
    '--backbone',
    backbone,
    '--text',
    'the rain',
    'is soup',
  ];
  return (await cli(args)).stdout;
};

describe('prompt export and import', () => {
  it('carry a prompt to PEFT and back to the same answers', async () => {
    const out = world.path('adapter');
    const exported = await cli([
      'prompt',
      'export',
      prompt,
      '--format',
      'peft',
      '--backbone',
      backbone,
      '--base-model',
      'acme/tiny',
      '--out',
      out,
    ]);
    expect(exported).toMatchObject({ code: 0, stdout: `${out}\n`, stderr: '' });
    expect(readdirSync(out).sort()).toEqual([
      'README.md',
      'adapter_config.json',
      'adapter_model.safetensors',
      'polyprompt.json',
    ]);
    const config = JSON.parse(readFileSync(`${out}/adapter_config.json`, 'utf8'));
    expect(config).toMatchObject({ base_model_name_or_path: 'acme/tiny', task_type: 'SEQ_CLS' });

    const back = world.path('back');
    const imported = await cli(['prompt', 'import', out, '--backbone', backbone, '--out', back]);
    expect(imported).toMatchObject({ code: 0, stdout: `${back}\n` });
    expect(imported.stderr).toContain('text-classification, 2 labels, 3 virtual tokens');
    expect(await predict(back)).toBe(await predict(prompt));
    const again = await cli(['prompt', 'import', out, '--backbone', backbone, '--out', back]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('--force') });
  });

  it('need no word about the model where the machine has it', async () => {
    const home = world.path('home');
    cpSync(backbone, join(home, 'backbones', 'tiny'), { recursive: true });
    const inHome = (...args: string[]) => cli(args, { env: { POLYPROMPT_HOME: home } });
    const [out, back] = [world.path('named'), world.path('named.back')];
    expect(await inHome('prompt', 'export', prompt, '--out', out)).toMatchObject({ code: 0 });
    expect(await inHome('prompt', 'import', out, '--out', back)).toMatchObject({ code: 0 });
    const args = ['predict', '--prompt', back, '--text', 'the rain', 'is soup'];
    expect((await inHome(...args)).stdout).toBe(await predict(prompt));

    const elsewhere = await cli(['prompt', 'import', out, '--out', world.path('n')]);
    expect(elsewhere).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('on this machine'),
    });
    rmSync(join(out, 'polyprompt.json'));
    const bare = await inHome('prompt', 'import', out, '--out', world.path('n'));
    expect(bare).toMatchObject({ code: 2, stderr: expect.stringContaining('does not say which') });
  });

  it('take an adapter of others, with labels from a list or a file', async () => {
    const theirs = world.path('theirs');
    cpSync(world.path('adapter'), theirs, { recursive: true });
    rmSync(`${theirs}/polyprompt.json`);
    const base = [
      'prompt',
      'import',
      theirs,
      '--format',
      'peft',
      '--backbone',
      backbone,
      '--force',
    ];
    const bare = await cli([...base, '--out', world.path('x')]);
    expect(bare).toMatchObject({ code: 2, stderr: expect.stringContaining('give 2 in the order') });
    const file = world.file('config.json', '{"id2label": {"1": "weather", "0": "food"}}');
    for (const labels of ['food, weather', file]) {
      const out = world.path('y');
      const result = await cli([...base, '--labels', labels, '--out', out]);
      expect(result).toMatchObject({ code: 0, stdout: `${out}\n` });
      const { stdout } = await cli(['prompt', 'show', out, '--json']);
      expect(JSON.parse(stdout)).toMatchObject({
        labels: ['food', 'weather'],
        training: { recipe: 'imported' },
      });
      expect(await predict(out)).toBe(await predict(prompt));
    }
    const wrong = await cli([
      ...base,
      '--labels',
      'a,b',
      '--task',
      'question-answering',
      '--out',
      world.path('z'),
    ]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('SEQ_CLS') });
  });
});
