/**
 * Settings of a job from the wire to what they do, over the whole service: refused before there is a job, offsets
 * and tags read as asked, several candidates in one run, which survive the death of the tuner.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceClient } from './support/client.ts';
import { fastClock } from './support/fast-clock.ts';
import { type ServiceProcess, startServiceProcess } from './support/service-process.ts';
import { BACKBONE_ID, TINY_DATA, temporaryFolder, tinyBackbone, WORDS } from './support/tiny.ts';

const KEY = 'a-key-of-my-own-choice';
const folder = temporaryFolder();
let service: ServiceProcess;
let client: ReturnType<typeof serviceClient>;
beforeAll(async () => {
  service = await startServiceProcess({
    // The lease of a tuner that was killed ends soon.
    ...fastClock(10),
    POLYPROMPT_HOME: join(folder, 'home'),
    POLYPROMPT_BACKBONE: tinyBackbone(folder),
    POLYPROMPT_KEY: KEY,
    POLYPROMPT_THREADS: '1',
    POLYPROMPT_CHECKPOINT_SECONDS: '0.5',
  });
  client = serviceClient(service.url, KEY);
}, 60_000);
afterAll(() => service?.kill());

type Event = OpenAI.FineTuning.FineTuningJobEvent & { data?: Record<string, unknown> };

/** Trains to the end, whatever it is. */
async function tune(
  file: string,
  suffix: string,
  prompt: object,
  { meanwhile = async () => {}, ...hyperparameters }: Options = {},
) {
  const { id } = await client.tune({
    ...{ model: BACKBONE_ID, training_file: file, suffix },
    hyperparameters: { n_epochs: 4, batch_size: 8, ...hyperparameters },
    prompt: { length: 2, early_stopping: 0, ...prompt },
  });
  await meanwhile(id);
  const events = (await client.follow(id)) as Event[];
  return { events, job: await client.openai.fineTuning.jobs.retrieve(id) };
}

interface Options {
  readonly meanwhile?: (id: string) => Promise<void>;
  readonly n_epochs?: number;
}

interface Version {
  readonly version: number;
  readonly hash: string;
}
interface Card {
  readonly candidates: readonly { settings: object; best: object; published: boolean }[];
}
const versionsOf = async (name: string) =>
  (await client.send<{ data: Version[] }>('GET', `/v1/prompts/${name}/versions`)).data;

describe('a job', { timeout: 120_000 }, () => {
  it('with settings that cannot be is refused by the client of OpenAI, and made nowhere', async () => {
    const file = await client.upload('train.jsonl', TINY_DATA);
    for (const [prompt, param, message] of [
      [{ recipe: 'magic' }, 'prompt.recipe', /known are default, tu2022-xnli/],
      [{ recipe: 'park2023-ner' }, 'prompt.recipe', /is for token-classification/],
      [{ length: 510 }, 'prompt.length', /leaves room for/],
    ] as const) {
      const made = tune(file, 'never', { task: 'text-classification', ...prompt });
      await expect(made).rejects.toBeInstanceOf(OpenAI.BadRequestError);
      await expect(made).rejects.toMatchObject({ status: 400, code: 'settings.invalid', param });
      await expect(made).rejects.toThrow(message);
    }
    expect((await client.openai.fineTuning.jobs.list()).data).toEqual([]);
  });

  const task = 'token-classification';

  it('reads offsets in the unit that it is told', async () => {
    // Before the entity: four characters of one code point and two UTF-16 units each.
    const rows = Array.from({ length: 32 }, (_, i) => {
      const word = WORDS[i % 4]!;
      const text = `🙂🙂🙂🙂 the ${word}`;
      const entity = { start: 13, end: 13 + word.length, label: i % 4 < 2 ? 'SKY' : 'FOOD' };
      return JSON.stringify({ text, entities: [entity] });
    });
    const file = await client.upload('train.jsonl', rows.join('\n'));
    const unasked = await tune(file, 'units', { task });
    expect(unasked.job).toMatchObject({
      status: 'failed',
      error: { code: 'invalid_training_file', param: 'training_file' },
    });
    expect(unasked.job.error!.message).toContain('is not in the text');
    // The tuner filed what it found; it is no reason against another reading.
    const reading = { offset_unit: 'utf16', learning_rate: 0.05 };
    const asked = await tune(file, 'units', { task, ...reading }, { n_epochs: 30 });
    expect(asked.job).toMatchObject({ status: 'succeeded', error: null });
    const entities = await client.send('POST', '/models/units', {
      ...{ inputs: '🙂🙂🙂🙂 the rain', parameters: { offset_unit: 'utf16' } },
    });
    expect(entities).toMatchObject([{ start: 13, end: 17, word: 'rain', entity_group: 'SKY' }]);
    const again = client.tune({
      ...{ model: BACKBONE_ID, training_file: file, suffix: 'units', prompt: { task } },
    });
    await expect(again).rejects.toMatchObject({ status: 422, code: 'file.invalid' });
  });

  it('mends tags that cannot follow each other, or refuses them', async () => {
    const sentence = (i: number) =>
      `the O\n${WORDS[i % 4]} ${i % 8 < 4 ? 'B' : 'I'}-${i % 4 < 2 ? 'SKY' : 'FOOD'}\n`;
    const data = Array.from({ length: 24 }, (_, i) => sentence(i)).join('\n');
    const file = await client.upload('train.conll', data);
    const refused = await tune(file, 'tags', { task, invalid_tags: 'refuse' });
    expect(refused.job).toMatchObject({ status: 'failed', error: { param: 'training_file' } });
    expect(refused.job.error!.message).toMatch(/12 problems.*line 14/s);
    const mended = await tune(file, 'tags', { task });
    expect(mended.job).toMatchObject({ status: 'succeeded' });
  });

  it('tries candidates in one run, and comes to the same bytes when its tuner is killed', async () => {
    const file = await client.upload('train.jsonl', TINY_DATA);
    const prompt = {
      task: 'text-classification',
      candidates: { lr: [1e-6, 2e-2], seed: [1, 2] },
    };
    const whole = await tune(file, 'tried', prompt, { n_epochs: 40 });
    expect(whole.job).toMatchObject({ status: 'succeeded', prompt });
    const told = whole.events.find(({ message }) =>
      message.startsWith('The best of 4 candidates'),
    )!;
    const names = (told.data!.candidates as { candidate: string }[]).map((each) => each.candidate);
    expect(names).toEqual([
      ...['lr=0.000001 seed=1', 'lr=0.000001 seed=2', 'lr=0.02 seed=1', 'lr=0.02 seed=2'],
    ]);
    const card = await client.send<Card>('GET', '/v1/prompts/tried/versions/1/card');
    expect(card.candidates.map(({ settings }) => settings)).toEqual([
      { learningRate: 1e-6, seed: 1 },
      { learningRate: 1e-6, seed: 2 },
      { learningRate: 2e-2, seed: 1 },
      { learningRate: 2e-2, seed: 2 },
    ]);
    expect(card.candidates.find(({ published }) => published)).toMatchObject({
      settings: { learningRate: 2e-2 },
    });

    const killed = await tune(
      file,
      'tried',
      { ...prompt, activate: 'killed' },
      {
        n_epochs: 40,
        meanwhile: async (id) => {
          for (let saved = false; !saved; ) {
            const { data } = await client.openai.fineTuning.jobs.listEvents(id, { limit: 100 });
            saved = data.some(({ message }) => /^Checkpoint after step \d+ saved/.test(message));
            await sleep(20);
          }
          await service.kill('tuner');
        },
      },
    );
    expect(killed.job).toMatchObject({ status: 'succeeded' });
    const messages = killed.events.map(({ message }) => message);
    expect(messages).toContainEqual(
      expect.stringMatching(/^Training continues after step \d+ of \d+, 4 candidates/),
    );
    const [second, first] = await versionsOf('tried');
    expect(second).toMatchObject({ version: 2, hash: first!.hash });
  });
});
