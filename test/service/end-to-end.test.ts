/**
 * The whole service, from outside: started as a user starts it, driven with the clients that people have.
 * The long way round runs on a tiny backbone; the backbone that ships is used where real text matters.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type ServiceClient, serviceClient } from './support/client.ts';
import { failuresOf, inferenceLoad, keepMoving } from './support/load.ts';
import { type ServiceProcess, startServiceProcess } from './support/service-process.ts';
import { BACKBONE_ID, TINY_DATA, temporaryFolder, tinyBackbone } from './support/tiny.ts';

const ROOT = join(import.meta.dirname, '../..');
const KEY = 'a-key-of-my-own-choice';
const TEXT = 'the snow is a bread';
const CONNECTIONS = 50;
/** Moves of the alias under load, at least. */
const MOVES = 20;
const running = new Set<ServiceProcess>();
afterAll(() => Promise.all([...running].map((service) => service.kill())));

async function start(settings: Record<string, string>): Promise<ServiceProcess> {
  const service = await startServiceProcess(settings);
  running.add(service);
  return service;
}

/** Both answers have the same labels, and scores that no reader could tell apart. */
function expectSameScores(actual: Answer['scores'], expected: Answer['scores']): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [label, score] of Object.entries(expected))
    expect(actual[label]).toBeCloseTo(score, 4);
}

describe('the service', () => {
  const folder = temporaryFolder();
  const settings = {
    POLYPROMPT_HOME: join(folder, 'home'),
    POLYPROMPT_BACKBONE: tinyBackbone(folder),
    POLYPROMPT_KEY: KEY,
    POLYPROMPT_THREADS: '1',
  };
  let service: ServiceProcess;
  let client: ServiceClient;

  beforeAll(async () => {
    service = await start(settings);
    client = serviceClient(service.url, KEY);
  });

  /** Trains a version, following its events to the end. */
  async function tune(file: string, seed: number) {
    const { id } = await client.tune({
      model: BACKBONE_ID,
      training_file: file,
      suffix: 'topics',
      seed,
      hyperparameters: { n_epochs: 4, batch_size: 8 },
      prompt: { task: 'text-classification', length: 2, early_stopping: 0 },
    });
    const events = await client.follow(id);
    return { job: await client.openai.fineTuning.jobs.retrieve(id), events };
  }

  it('tunes two versions from an upload, telling what happens as it happens', async () => {
    const file = await client.upload('train.jsonl', TINY_DATA);
    expect(await (await client.openai.files.content(file)).text()).toBe(TINY_DATA);
    const first = await tune(file, 1);
    expect(first.job).toMatchObject({
      status: 'succeeded',
      fine_tuned_model: `ft:${BACKBONE_ID}:default:topics:1`,
    });
    const listed = await client.openai.fineTuning.jobs.listEvents(first.job.id, { limit: 100 });
    // Newest first.
    expect(first.events.map(({ id }) => id)).toEqual(listed.data.map(({ id }) => id).toReversed());
    expect(first.events.some(({ type }) => type === 'metrics')).toBe(true);
    expect(first.events.at(-1)!.message).toMatch(/Version 1 of topics published/);

    const second = await tune(file, 2);
    expect(second.job.fine_tuned_model).toBe(`ft:${BACKBONE_ID}:default:topics:2`);
    // The first version of a prompt became production by itself; the second did not ask to.
    expect((await client.ask('topics', TEXT)).version).toBe(first.job.fine_tuned_model);
    const [best] = await client.classify('topics@2', TEXT);
    expect(['weather', 'food']).toContain(best?.label);
  });

  it('moves an alias under load: no request fails, one version answers each', {
    timeout: 120_000,
  }, async () => {
    const own = new Map<string, Answer>();
    for (const version of [1, 2]) {
      const answer = await client.ask(`topics@${version}`, TEXT);
      own.set(answer.version!, answer);
    }
    const [one, two] = [...own.values()];
    expect(Math.abs(one!.scores.food! - two!.scores.food!)).toBeGreaterThan(0.001);

    const answers: Answer[] = [];
    const alias = { name: 'topics', alias: 'production', versions: [1, 2], everyMs: 100 };
    const moving = keepMoving(client, alias);
    /** Times that the version changed from one answer to the next: the moves that the load saw. */
    const changes = () =>
      answers.filter(({ version }, i) => i > 0 && version !== answers[i - 1]!.version).length;
    // As long as it takes on a machine that has other things to do.
    const result = await inferenceLoad({
      url: service.url,
      key: KEY,
      ref: 'topics',
      text: TEXT,
      connections: CONNECTIONS,
      seconds: 90,
      onAnswer: (answer) => answers.push(answer),
      isEnough: () => moving.moves >= MOVES && answers.length >= 10 * CONNECTIONS,
    });
    expect(await moving.stop()).toBeGreaterThanOrEqual(MOVES);
    expect(failuresOf(result)).toBe(0);
    expect(answers.length).toBeGreaterThanOrEqual(10 * CONNECTIONS);
    // Many moves fell between answers: on the whole each of them is seen.
    expect(changes()).toBeGreaterThanOrEqual(MOVES / 2);
    // Both versions answered, and nothing else.
    expect(new Set(answers.map(({ version }) => version))).toEqual(new Set(own.keys()));
    for (const { version, scores } of answers) expectSameScores(scores, own.get(version!)!.scores);
  });

  it('rolls back, and shows a move to a second process within a second', async () => {
    const second = await start({
      ...settings,
      ...(await service.sharedState()),
      POLYPROMPT_HOME: join(folder, 'second'),
      POLYPROMPT_TUNER: 'off',
    });
    const elsewhere = serviceClient(second.url, KEY);
    const versionAt = async (at: ServiceClient) => (await at.ask('topics', TEXT)).version;
    for (const version of [1, 2, 1]) {
      await client.moveAlias('topics', 'production', version);
      const wanted = `ft:${BACKBONE_ID}:default:topics:${version}`;
      expect(await versionAt(client)).toBe(wanted);
      // Kept warm meanwhile, so that what is seen then was not read for the first time.
      await versionAt(elsewhere);
      await sleep(1000);
      expect(await versionAt(elsewhere)).toBe(wanted);
    }
    await client.send('POST', '/v1/prompts/topics/rollback', { alias: 'production' });
    expect(await versionAt(client)).toBe(`ft:${BACKBONE_ID}:default:topics:2`);
    await sleep(1000);
    expect(await versionAt(elsewhere)).toBe(`ft:${BACKBONE_ID}:default:topics:2`);
    expect(await second.stop()).toBe(0);
  });

  it('tells through the job, its error and its events what is wrong with a file', async () => {
    const questions = Array.from({ length: 12 }, (_, i) =>
      JSON.stringify({
        id: `q${i}`,
        context: 'the rain is a snow',
        question: `what is the rain ${i}?`,
        answers: { text: ['a snow'], answer_start: [12] },
      }),
    ).join('\n');
    const lines = TINY_DATA.split('\n');
    lines[16] = '{"text": "the rain"}';
    const [other, damaged] = [
      await client.upload('questions.jsonl', questions),
      await client.upload('damaged.jsonl', lines.join('\n')),
    ];
    for (const [training_file, problem] of [
      [other, /problems? in questions\.jsonl:/],
      [damaged, /^1 problem in damaged\.jsonl:\ndamaged\.jsonl, line 17: /],
    ] as const) {
      const request = {
        model: BACKBONE_ID,
        training_file,
        suffix: 'refused',
        prompt: { task: 'text-classification' },
      };
      const { id } = await client.tune(request);
      const streamed = await client.follow(id);
      const job = await client.openai.fineTuning.jobs.retrieve(id);
      expect(job).toMatchObject({ status: 'failed', fine_tuned_model: null });
      expect(job.error).toMatchObject({ code: 'invalid_training_file', param: 'training_file' });
      expect(job.error!.message).toMatch(problem);
      const { data } = await client.openai.fineTuning.jobs.listEvents(id);
      expect(data[0]).toMatchObject({ level: 'error', message: job.error!.message });
      expect(streamed.at(-1)).toEqual(data[0]);
      // The job has left its report with the file, so the next one is refused at once.
      await expect(client.tune({ ...request, seed: 2 })).rejects.toMatchObject({
        status: 422,
        code: 'file.invalid',
        param: 'training_file',
      });
    }
    await expect(client.send('GET', '/v1/prompts/refused')).rejects.toThrow('404');
  });

  it('loses no count of usage when it is asked to end', async () => {
    const requests = async () => {
      const path = '/v1/usage?prompt=topics&limit=1000';
      const { data } = await client.send<{ data: { requests: number }[] }>('GET', path);
      return data.reduce((sum, day) => sum + day.requests, 0);
    };
    const before = await requests();
    for (let i = 0; i < 7; i++) await client.ask('topics', TEXT);
    expect(await service.stop()).toBe(0);
    service = await start(settings);
    client = serviceClient(service.url, KEY);
    expect(await requests()).toBe(before + 7);
  });

  it('keeps everything across a restart', async () => {
    const seen = () =>
      Promise.all([
        client.send('GET', '/v1/files'),
        client.send('GET', '/v1/fine_tuning/jobs'),
        client.send('GET', '/v1/prompts/topics'),
        client.send('GET', '/v1/prompts/topics/history'),
        client.ask('topics', TEXT),
      ]);
    const before = await seen();
    expect(await service.stop()).toBe(0);
    service = await start(settings);
    client = serviceClient(service.url, KEY);
    expect(await seen()).toEqual(before);
    expect(await service.stop()).toBe(0);
  });
});

describe('the backbone that ships', () => {
  const settings = { POLYPROMPT_HOME: join(temporaryFolder(), 'home') };
  const shared = join(ROOT, '../shared/data/sib200');
  let service: ServiceProcess;
  let client: ServiceClient;

  beforeAll(async () => {
    service = await start(settings);
    const key = /Your key, shown this once: (\S+)/.exec(service.greeting)![1]!;
    client = serviceClient(service.url, key);
  });

  it('prints three curl lines that work when pasted', async () => {
    const lines = service.greeting.split('\n').filter((line) => line.startsWith('curl '));
    expect(lines).toHaveLength(3);
    const [answer, file, job] = lines.map((line) =>
      JSON.parse(
        execFileSync('sh', ['-c', line.replace('curl ', 'curl -sS ')], { encoding: 'utf8' }),
      ),
    );
    const topics = answer[0].map(({ label }: { label: string }) => label);
    expect(topics).toContain('travel');
    expect(topics.length).toBeGreaterThan(2);
    expect(file).toMatchObject({ object: 'file', filename: 'train.jsonl', status: 'processed' });
    expect(job).toMatchObject({ object: 'fine_tuning.job', training_file: file.id, error: null });
    // Trained elsewhere: here it would take its minute.
    await client.openai.fineTuning.jobs.cancel(job.id);
    await client.follow(job.id);
    expect((await client.openai.fineTuning.jobs.retrieve(job.id)).status).toBe('cancelled');
  });

  it.skipIf(!existsSync(shared))(
    'trains on English of SIB-200 and answers in other languages (needs ../shared/data/sib200)',
    { timeout: 150_000 },
    async () => {
      const read = (path: string) => readFileSync(join(shared, path));
      const { id } = await client.tune({
        model: 'polyprompt-mini',
        training_file: await client.upload('train.tsv', read('en/train.tsv')),
        suffix: 'sib',
        hyperparameters: { n_epochs: 2 },
        prompt: { task: 'text-classification', activate: 'staging' },
      });
      await client.follow(id);
      const { status, error } = await client.openai.fineTuning.jobs.retrieve(id);
      expect({ status, error }).toEqual({ status: 'succeeded', error: null });
      for (const language of ['de', 'ru']) {
        const rows = read(`${language}/test.tsv`).toString().trim().split('\n').slice(1, 61);
        let right = 0;
        for (const row of rows) {
          const [, category, text = ''] = row.split('\t');
          const [best] = await client.classify('sib@staging', text);
          if (best?.label === category) right++;
        }
        // Seven topics: a guesser has one in seven right, or one in four that always says the commonest.
        expect(right / rows.length, language).toBeGreaterThan(0.35);
      }
    },
  );
});
