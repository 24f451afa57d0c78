/**
 * The whole service killed (SIGKILL) at random moments while a user uploads, tunes and moves an alias: what was
 * acknowledged is there afterwards, every job ends with exactly one version, and its bytes are those of a run
 * that nothing disturbed. The processes' time runs faster than the real one, so that a dead one's lease ends soon.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type OpenAI from 'openai';
import { afterAll, expect, it } from 'vitest';
import { serviceClient } from './support/client.ts';
import { fastClock } from './support/fast-clock.ts';
import { type ServiceProcess, startServiceProcess } from './support/service-process.ts';
import { BACKBONE_ID, TINY_DATA, temporaryFolder, tinyBackbone } from './support/tiny.ts';

const KILLS = 20;
const JOBS = 8;
const SPEED = 10;
/** A job whose worker dies so often without getting ahead is failed, as it should be. */
const ATTEMPTS = 3;
const KEY = 'a-key-of-my-own-choice';
const PARTS = ['tuner', 'tuner', 'api', 'all'] as const;

const folder = temporaryFolder();
const settings = {
  ...fastClock(SPEED),
  POLYPROMPT_HOME: join(folder, 'home'),
  POLYPROMPT_BACKBONE: tinyBackbone(folder),
  POLYPROMPT_KEY: KEY,
  POLYPROMPT_THREADS: '1',
  POLYPROMPT_CHECKPOINT_SECONDS: '0.5',
};
const started: ServiceProcess[] = [];
let service = await start();
const client = () => serviceClient(service.url, KEY);
afterAll(() => Promise.all(started.map((each) => each.kill())));

async function start(): Promise<ServiceProcess> {
  const service = await startServiceProcess(settings);
  started.push(service);
  return service;
}

/** Repeats what a dead service did not acknowledge. */
async function acknowledged<T>(act: () => Promise<T>): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const { status = (error as Error).message.match(/: (\d{3}) /)?.[1] } = error as {
        status?: unknown;
      };
      // An answer that says no is a mistake here, whatever was killed.
      if (Date.now() > end || (Number(status) >= 400 && Number(status) < 500)) throw error;
      await sleep(50);
    }
  }
}

function tune(
  file: string,
  prompt: string,
  seed: number,
): Promise<OpenAI.FineTuning.FineTuningJob> {
  const job = {
    model: BACKBONE_ID,
    training_file: file,
    suffix: prompt,
    seed,
    hyperparameters: { n_epochs: 40, batch_size: 4 },
    prompt: { task: 'text-classification', length: 2, early_stopping: 0 },
  };
  // The key makes repeating safe, however far a killed request came.
  const options = { headers: { 'Idempotency-Key': `${prompt} ${seed}` } };
  return acknowledged(() =>
    client().openai.fineTuning.jobs.create(job as OpenAI.FineTuning.JobCreateParams, options),
  );
}

async function ended(id: string): Promise<OpenAI.FineTuning.FineTuningJob> {
  for (;;) {
    const job = await acknowledged(() => client().openai.fineTuning.jobs.retrieve(id));
    if (job.finished_at !== null) return job;
    await sleep(200);
  }
}

interface Version {
  readonly version: number;
  readonly hash: string;
  readonly job: string;
}
const versionsOf = async (prompt: string) =>
  (await client().send<{ data: Version[] }>('GET', `/v1/prompts/${prompt}/versions`)).data;

/** Versions that the alias production came to point to, oldest first, each named once in a row. */
async function movesOf(prompt: string): Promise<number[]> {
  const moves: number[] = [];
  for (let after = ''; ; ) {
    const path = `/v1/prompts/${prompt}/history?limit=20${after}`;
    const page = await client().send<{
      data: { id: string; alias: string | null; to: { version: number } | null }[];
      has_more: boolean;
    }>('GET', path);
    for (const { alias, to } of page.data) {
      if (alias === 'production' && to && to.version !== moves[0]) moves.unshift(to.version);
    }
    if (!page.has_more) return moves;
    after = `&after=${page.data.at(-1)!.id}`;
  }
}

/** Whether another death would be the last for the job at work. */
function isLastAttempt(): boolean {
  const lines = service.log.match(/^.*"msg":"job (?:taken|let go)".*\n/gm) ?? [];
  const last = JSON.parse(lines.at(-1) ?? '{}') as { msg?: string; attempt?: number };
  return last.msg === 'job taken' && last.attempt! >= ATTEMPTS;
}

async function killAtRandomMoments(): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(2500 * Math.random());
    while (isLastAttempt()) await sleep(50);
    const part = PARTS[Math.floor(PARTS.length * Math.random())]!;
    await service.kill(part);
    if (part !== 'tuner') service = await start();
  }
}

it(`keeps every promise over ${KILLS} kills of API and tuner`, { timeout: 300_000 }, async () => {
  const undisturbed = await client().upload('undisturbed.jsonl', TINY_DATA);
  for (const seed of [1, 2]) await ended((await tune(undisturbed, 'undisturbed', seed)).id);
  const [{ hash }] = (await versionsOf('undisturbed')).filter(({ version }) => version === 1) as [
    Version,
  ];

  let killing = true;
  const kills = killAtRandomMoments().finally(() => {
    killing = false;
  });
  const moves = [1];
  const moving = (async () => {
    while (killing) {
      const version = 1 + (moves.length % 2);
      await acknowledged(() => client().moveAlias('undisturbed', 'production', version));
      moves.push(version);
      await sleep(300 * Math.random());
    }
  })();
  const files = new Map<string, string>();
  const jobs = new Map<string, string>();
  const tuning = (async () => {
    for (let i = 0; i < JOBS; i++) {
      const name = `disturbed-${i}`;
      const file = await acknowledged(() => client().upload(`${name}.jsonl`, TINY_DATA));
      files.set(file, `${name}.jsonl`);
      jobs.set(name, (await tune(file, name, 1)).id);
      await sleep(3000 * Math.random());
    }
  })();
  await Promise.all([kills, moving, tuning]);
  expect(moves.length).toBeGreaterThan(KILLS);

  for (const [name, id] of jobs) {
    const job = await ended(id);
    expect(job).toMatchObject({ status: 'succeeded', error: null });
    expect(await versionsOf(name)).toMatchObject([{ version: 1, job: id, hash }]);
  }
  const { data } = await client().openai.fineTuning.jobs.list({ limit: 100 });
  expect(data).toHaveLength(2 + JOBS);
  for (const [file, filename] of files) {
    expect(await client().openai.files.retrieve(file)).toMatchObject({ filename });
    expect(await (await client().openai.files.content(file)).text()).toBe(TINY_DATA);
  }
  expect(await movesOf('undisturbed')).toEqual(moves);
  const pointsTo = { aliases: { production: { version: moves.at(-1) } } };
  expect(await client().send('GET', '/v1/prompts/undisturbed')).toMatchObject(pointsTo);
  const { status, version } = await client().ask(`${[...jobs.keys()][0]}`, 'the snow is a bread');
  expect({ status, version }).toEqual({ status: 200, version: 'ft:tiny:default:disturbed-0:1' });
  // The kills did strike jobs at work.
  const taken = started.flatMap(({ log }) => log.match(/"msg":"job taken"/g) ?? []);
  expect(taken.length).toBeGreaterThan(2 + JOBS);
  expect(await service.stop()).toBe(0);
});
