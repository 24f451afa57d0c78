/** Questions from the data file to the answer, through the real command with a tiny backbone. */
import { openBackbone } from '@polyprompt/backbone';
import { readPrompt, writePrompt } from '@polyprompt/prompts';
import { EMPTY_DETAILS, tinyPrompt } from '@polyprompt/prompts/testing';
import { afterAll, expect, it } from 'vitest';
import { cli, jsonLines, makeWorld, WORDS } from './testing/cli.ts';

const world = makeWorld();
afterAll(() => world.remove());

const WEATHER = WORDS.slice(0, 4);

/** Contexts of four words; the answer is the only word about weather. */
function questions(count: number, language: string) {
  return Array.from({ length: count }, (_, i) => {
    const words = ['the', 'is', 'bread', 'soup'].map((word, at) =>
      at === i % 4 ? WEATHER[Math.floor(i / 4) % 4]! : word,
    );
    const context = words.join(' ');
    const text = words[i % 4]!;
    const answers = [{ text, answer_start: context.indexOf(text) }];
    return { id: `q${i}`, question: i % 3 ? 'the rain' : 'the wind', context, answers, language };
  });
}

function squad(rows: ReturnType<typeof questions>) {
  const paragraphs = rows.map(({ context, language: _, ...question }) => ({
    context,
    qas: [question],
  }));
  return JSON.stringify({ version: '1.1', data: [{ paragraphs }] }, null, 1);
}

it('trains, answers and scores', async () => {
  const backbone = world.backbone('tiny');
  const train = world.file('train.json', squad(questions(48, 'en')));
  const dev = world.file('dev.jsonl', jsonLines(questions(16, 'en')));
  const prompt = world.path('qa');
  const tuned = await cli([
    ...['tune', '--task', 'question-answering', '--backbone', backbone],
    ...['--train', train, '--dev', dev, '--out', prompt, '--lr', '0.02'],
    ...['--epochs', '12', '--batch-size', '8', '--length', '4', '--quiet', '--json'],
  ]);
  expect(tuned.stderr).not.toContain('error');
  expect(tuned.code).toBe(0);

  const ask = async (...args: string[]) => {
    const { code, stdout, stderr } = await cli([
      ...['predict', '--prompt', prompt, '--backbone', backbone],
      ...args,
    ]);
    return {
      code,
      stderr,
      lines: stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    };
  };
  const context = 'the 😀 is snow bread';
  const [one] = (await ask('--question', 'the rain', '--context', context)).lines;
  expect([...context].slice(one.start, one.end).join('')).toBe(one.answer);
  expect(one).toMatchObject({ line: 1, question: 'the rain' });

  const both = await ask(
    ...['--question', 'the rain', 'the wind', '--context', context],
    ...['--top-k', '3', '--offset-unit', 'utf16'],
  );
  expect(both.lines).toHaveLength(2);
  for (const { answers } of both.lines) {
    expect(answers).toHaveLength(3);
    for (const { answer, start, end } of answers) expect(context.slice(start, end)).toBe(answer);
  }

  const none = await ask(
    ...['--question', 'the rain', '--context', context, '--null-threshold', '-1000'],
  );
  expect(none.lines).toMatchObject([{ answer: '', start: 0, end: 0 }]);

  const document = await ask('--file', train);
  expect(document.lines.map(({ id }) => id)).toEqual(questions(48, 'en').map(({ id }) => id));

  const evaluated = await cli([
    ...['evaluate', '--prompt', prompt, '--backbone', backbone],
    ...[
      '--data',
      dev,
      world.file('other.json', squad(questions(8, 'de'))),
      '--language',
      'en',
      'de',
    ],
    '--json',
  ]);
  const { files, overall } = JSON.parse(evaluated.stdout);
  expect(Object.keys(files[1].languages)).toEqual(['de']);
  expect(overall.examples).toBe(24);
  // Trained on all of these contexts: far better than one word of four by chance.
  expect(files[0].metrics.exact_match).toBeGreaterThan(0.6);
}, 240_000);

it('chooses the threshold of "no answer" on dev, and keeps it in an adapter', async () => {
  const backbone = world.backbone('tiny');
  // Every third context has no word about weather, and its question no answer.
  const rows = (count: number) =>
    questions(count, 'en').map((row, i) =>
      i % 3 ? row : { ...row, context: 'the is bread soup', answers: [], is_impossible: true },
    );
  const train = world.file('train2.jsonl', jsonLines(rows(48)));
  const dev = world.file('dev2.jsonl', jsonLines(rows(15)));
  const prompt = world.path('qa2');
  const tuned = await cli([
    ...['tune', '--task', 'question-answering', '--backbone', backbone],
    ...['--train', train, '--dev', dev, '--out', prompt, '--lr', '0.02'],
    ...['--epochs', '3', '--batch-size', '8', '--length', '4', '--quiet'],
  ]);
  expect(tuned.stderr).not.toContain('error');
  expect(tuned.stdout).toContain('threshold of "no answer", chosen on dev');
  const { card } = readPrompt(prompt);
  const { nullThreshold } = card.answering!;
  expect(nullThreshold).toBe(card.metrics.dev!.overall.f1_best_threshold);
  expect(card.metrics.dev!.overall.f1).toBe(card.training.score);

  // The table of scores is with it; another may be asked for.
  const scores = async (...more: string[]) => {
    const command = ['evaluate', '--prompt', prompt, '--backbone', backbone, '--data', dev];
    return JSON.parse((await cli([...command, '--json', ...more])).stdout).overall.metrics;
  };
  expect((await scores()).f1).toBeCloseTo(card.training.score, 6);
  expect((await scores()).f1).toBe((await scores()).f1_best);
  expect(await scores('--null-threshold', '-1000')).toMatchObject({ accuracy_impossible: 1 });

  const [packed, back] = [world.path('qa2.peft'), world.path('qa2.back')];
  const model = ['--backbone', backbone];
  const exported = await cli(['prompt', 'export', prompt, '--out', packed, ...model]);
  expect(exported).toMatchObject({ code: 0 });
  const imported = await cli(['prompt', 'import', packed, '--out', back, ...model]);
  expect(imported).toMatchObject({ code: 0 });
  expect(readPrompt(back).prompt.answering).toEqual({ nullThreshold });
}, 240_000);

it('answers "" by the threshold that the prompt has, where asked to', async () => {
  const dir = world.backbone('fixed');
  const backbone = openBackbone(dir);
  const answer = async (nullThreshold: number, ...more: string[]) => {
    const prompt = tinyPrompt(backbone.spec, await backbone.fingerprint(), {
      ...{ seed: 3, task: 'question-answering', labels: ['start', 'end'], backboneName: 'fixed' },
      answering: { nullThreshold },
    });
    writePrompt(world.path('fixed.prompt'), prompt, EMPTY_DETAILS);
    const { stdout } = await cli([
      ...['predict', '--prompt', world.path('fixed.prompt'), '--backbone', dir],
      ...['--question', 'the rain', '--context', 'snow bread', ...more],
    ]);
    return JSON.parse(stdout).answer;
  };
  expect(await answer(-1000, '--handle-impossible')).toBe('');
  expect(await answer(1000, '--handle-impossible')).not.toBe('');
  expect(await answer(1000, '--null-threshold', '-1000')).toBe('');
  // The question has a limit of its own, and the notice does not speak of the text's.
  const cut = await cli([
    ...['predict', '--prompt', world.path('fixed.prompt'), '--backbone', dir, '--truncate'],
    ...['--question', 'the rain '.repeat(60), '--context', 'snow bread'],
  ]);
  expect(cut).toMatchObject({ code: 0, stderr: expect.stringContaining('1 question cut to') });
  const bad = await cli([
    ...['predict', '--prompt', world.path('fixed.prompt'), '--backbone', dir],
    ...['--question', 'the rain', '--context', 'snow bread', '--stride', '9999'],
  ]);
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining('--stride is 9999;') });
  // Not asked to: always a part of the context.
  expect(await answer(-1000)).not.toBe('');
}, 60_000);

it('names what is wrong with the data, and with the command', async () => {
  const backbone = world.backbone('tiny');
  const [row] = questions(1, 'en');
  const bad = world.file(
    'bad.jsonl',
    jsonLines([
      { ...row, answers: [{ text: 'snow', answer_start: 99 }] },
      { ...row, context: '' },
    ]),
  );
  const { code, stderr } = await cli([
    ...['tune', '--task', 'question-answering', '--backbone', backbone],
    ...['--train', bad, '--out', world.path('never')],
  ]);
  expect(code).toBe(2);
  expect(stderr).toContain('bad.jsonl, line 1: error:');
  expect(stderr).toMatch(/answer_not_in_context|misplaced_answer/);
  expect(stderr).toContain('line 2: error: the context is empty');
  const usage = await cli(['predict', '--prompt', 'nowhere']);
  expect(usage.stderr).toContain('--question and --context');
});
