/** Many inputs at once give what each gives alone, in their order. */
import { type TextClassificationTypes, textClassification as task } from '@polyprompt/tasks';
import { answerInputs, runJob } from '@polyprompt/tuning';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LoadedPrompt, loadPrompt } from './loaded-prompt.ts';
import { jsonLines, makeWorld, rows } from './testing/cli.ts';

const world = makeWorld();
const backbone = world.backbone('model');
let loaded: LoadedPrompt;

beforeAll(async () => {
  const train = world.file('train.jsonl', jsonLines(rows(32)));
  const settings = { task: task.name, length: 2, epochs: 1 } as const;
  await runJob({ backbone, train, out: world.path('prompt'), settings, device: 'cpu', threads: 1 });
  loaded = await loadPrompt(world.path('prompt'), { backbone, device: 'cpu', threads: 1 });
});
afterAll(async () => {
  await loaded.predictor.release();
  world.remove();
});

const inputs = rows(24).map(({ text }, i) => ({ text: `${text}${' the'.repeat((i * 11) % 17)}` }));

it('whatever the size of the batches', async () => {
  const alone: Awaited<ReturnType<typeof answerInputs<TextClassificationTypes>>> = [];
  for (const input of inputs) alone.push(...(await answerInputs(loaded, task, [input])));
  for (const batchTokens of [1, 40, 4096]) {
    const together = await answerInputs(loaded, task, inputs, { batchTokens });
    together.forEach(({ answer }, i) => {
      for (const { label, score } of answer!) {
        const expected = alone[i]!.answer!.find((one) => one.label === label)!;
        expect(score).toBeCloseTo(expected.score, 5);
      }
    });
  }
});

it('with no answer for texts that are too long, unless they may be cut', async () => {
  const long = [{ text: 'the '.repeat(80) }, { text: 'rain' }];
  expect(loaded.room).toBe(62);
  const [refused, short] = await answerInputs(loaded, task, long);
  expect(refused).toEqual({ answer: undefined, overrun: 82 });
  expect(short!.overrun).toBeUndefined();
  const [cut] = await answerInputs(loaded, task, long, { truncate: true });
  expect(cut!.overrun).toBe(82);
  expect(cut!.answer).toHaveLength(2);
  // A limit beyond the position table is no way around it.
  expect(await answerInputs(loaded, task, long, { maxTokens: 5000 })).toMatchObject([refused!, {}]);
});
