/**
 * The tuner process killed (SIGKILL) at random moments: every job ends, with exactly one version, whose bytes are
 * those of the unbroken run; a job that never gets ahead fails. SIGTERM loses nothing and ends with code 0. Real
 * processes, store and queue.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import type { Clock } from '@polyprompt/clock';
import { startLocalCloud } from '@polyprompt/local-cloud';
import { createRegistry, isFinished, type Job, JobMessage } from '@polyprompt/registry';
import { createStorage } from '@polyprompt/storage';
import { runJob } from '@polyprompt/tuning';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';

const KILLS = 20;
const JOBS = 8;
/** Leases and visibility run out this much faster where a test waits for them. */
const SPEED = 10;
const TENANT = 'acme';
const WORDS = ['rain', 'snow', 'bread', 'soup', 'the', 'is', 'a'];
const MAIN = fileURLToPath(new URL('../functions/tuner/src/main.ts', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'polyprompt-tuner-kill-'));
const models = join(folder, 'models');
const workDir = join(folder, 'work');
const runner = join(folder, 'runner.ts');
const DATA = Array.from({ length: 48 }, (_, i) => {
  const text = `the ${WORDS[i % 4]} is a ${WORDS[i % 4]} ${'a '.repeat(i % 7)}${i}`;
  return JSON.stringify({ text, label: i % 4 < 2 ? 'weather' : 'food' });
}).join('\n');
const HYPERPARAMETERS = { n_epochs: 40, batch_size: 4 };
let unbrokenHash: string;

beforeAll(async () => {
  const backbone = join(models, 'tiny');
  writeTinyBackbone(backbone, { family: 'roberta', words: WORDS, hidden: 32, layers: 2, std: 0.2 });
  const train = join(folder, 'train.jsonl');
  writeFileSync(train, DATA);
  const out = join(folder, 'unbroken');
  const settings = {
    task: 'text-classification' as const,
    length: 2,
    patience: 0,
    epochs: HYPERPARAMETERS.n_epochs,
    batchSize: HYPERPARAMETERS.batch_size,
    seed: 1,
  };
  await runJob({ backbone, train, out, settings, device: 'cpu', threads: 1 });
  const bytes = readFileSync(join(out, 'prompt.safetensors'));
  unbrokenHash = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  writeFileSync(runner, runnerScript());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The tuner on a fast clock; with `crash`, one that dies of every job it takes. */
function runnerScript(): string {
  const packages = ['functions/tuner', 'packages/registry', 'packages/storage'].map(
    (path) => new URL(`../${path}/src/index.ts`, import.meta.url).href,
  );
  const [tuner, registry, storage] = packages.map((url) => JSON.stringify(url));
  return `import { localBackbones, runTuner } from ${tuner};
import { createRegistry, JobMessage } from ${registry};
import { createStorage } from ${storage};
const { options, queueUrl, start, models, workDir, crash } = JSON.parse(process.argv[2]);
const clock = {
  now: () => start + (Date.now() - start) * ${SPEED},
  after(ms, fire) {
    const timer = setTimeout(fire, ms / ${SPEED});
    return () => clearTimeout(timer);
  },
};
const storage = createStorage({ ...options, clock });
const queue = storage.queue(queueUrl, JobMessage);
const log = { child: () => log, info() {}, warn() {}, error() {} };
const found = localBackbones({ models });
await runTuner({
  registry: createRegistry({ storage, queue, clock, maxAttempts: crash ? 3 : 1000 }),
  queue,
  backbones: (id) => (crash ? process.kill(process.pid, 'SIGKILL') : found(id)),
  workDir,
  log,
  signal: new AbortController().signal,
  device: 'cpu',
  threads: 1,
  checkpointSeconds: 0.05,
  visibilitySeconds: 40,
});
`;
}

function fastClock(start: number): Clock {
  return {
    now: () => start + (Date.now() - start) * SPEED,
    after(ms, fire) {
      const timer = setTimeout(fire, ms / SPEED);
      return () => clearTimeout(timer);
    },
  };
}

async function service({ fast }: { fast: boolean }) {
  const start = Date.now();
  const time = fast ? { clock: fastClock(start) } : {};
  const cloud = await startLocalCloud({
    dir: ':memory:',
    maxSkewMs: Number.POSITIVE_INFINITY,
    ...time,
  });
  const { endpoint, credentials } = cloud;
  const options = { endpoint, credentials, bucket: 'state' };
  const storage = createStorage({ ...options, ...time });
  await storage.ensureBucket();
  const { url: queueUrl } = await storage.ensureQueue('jobs', { maxReceives: 1000 });
  const queue = storage.queue(queueUrl, JobMessage);
  const registry = createRegistry({ storage, queue, ...time });
  const children = new Set<ChildProcess>();
  onTestFinished(async () => {
    for (const child of children) child.kill('SIGKILL');
    await registry.close();
    storage.close();
    await cloud.close();
  });
  const body = (async function* () {
    yield Buffer.from(DATA);
  })();
  const { id: trainingFile } = await registry.files.create(TENANT, {
    filename: 'train.jsonl',
    purpose: 'fine-tune',
    body,
  });
  const launch = (args: string[], env: NodeJS.ProcessEnv = {}) => {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...env },
    });
    children.add(child);
    child.once('exit', () => children.delete(child));
    return child;
  };
  return {
    queue,
    registry,
    create: (prompt: string): Promise<Job> =>
      registry.jobs.create(
        TENANT,
        {
          backbone: 'tiny',
          trainingFile,
          validationFile: null,
          seed: 1,
          activate: null,
          metadata: {},
          hyperparameters: HYPERPARAMETERS,
          settings: { length: 2, early_stopping: 0 },
          prompt,
        },
        { bodyHash: prompt },
      ),
    job: (id: string) => registry.jobs.get(TENANT, id),
    startRunner: ({ crash = false } = {}) =>
      launch([runner, JSON.stringify({ options, queueUrl, start, models, workDir, crash })]),
    startMain: (env: NodeJS.ProcessEnv = {}) =>
      launch([MAIN], {
        POLYPROMPT_ENDPOINT: endpoint,
        POLYPROMPT_BUCKET: 'state',
        POLYPROMPT_QUEUE: queueUrl,
        POLYPROMPT_MODELS: models,
        POLYPROMPT_WORK: workDir,
        POLYPROMPT_THREADS: '1',
        POLYPROMPT_DEVICE: 'cpu',
        POLYPROMPT_CHECKPOINT_SECONDS: '0.05',
        POLYPROMPT_LOG_LEVEL: 'warn',
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        ...env,
      }),
  };
}

it(`ends every job, with the bytes of the unbroken run, over ${KILLS} kills at random moments`, {
  timeout: 180_000,
}, async () => {
  const { registry, create, job, startRunner, queue } = await service({ fast: true });
  const names = Array.from({ length: JOBS }, (_, i) => `prompt-${i}`);
  const ids: string[] = [];
  for (const name of names) ids.push((await create(name)).id);
  const pool = [startRunner(), startRunner()];
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(300 + Math.random() * 1500);
    const i = Math.floor(Math.random() * pool.length);
    pool[i]!.kill('SIGKILL');
    await once(pool[i]!, 'exit');
    pool[i] = startRunner();
  }
  const jobs: Job[] = [];
  for (const id of ids) {
    await expect
      .poll(async () => isFinished((await job(id)).status), { timeout: 60_000, interval: 100 })
      .toBe(true);
    jobs.push(await job(id));
  }
  for (const [i, { status, result }] of jobs.entries()) {
    expect(status).toBe('succeeded');
    const { versions, aliases } = await registry.prompts.get(TENANT, names[i]!);
    expect(versions.map(({ version, job: maker }) => [version, maker])).toEqual([[1, ids[i]]]);
    expect(versions[0]!.hash).toBe(unbrokenHash);
    expect(result).toEqual({ version: 1, hash: unbrokenHash });
    expect(aliases.production).toEqual({ version: 1 });
  }
  // The kills did strike jobs at work.
  expect(Math.max(...jobs.map(({ fence }) => fence))).toBeGreaterThan(1);
  await expect
    .poll(() => queue.counts(), { timeout: 20_000 })
    .toEqual({ waiting: 0, inFlight: 0, delayed: 0 });
});

it('fails a job that kills its workers, with the reason', { timeout: 120_000 }, async () => {
  const { create, job, startRunner, queue } = await service({ fast: true });
  const { id } = await create('poison');
  const idle = async () => {
    const { waiting, inFlight, delayed } = await queue.counts();
    return isFinished((await job(id)).status) && waiting + inFlight + delayed === 0;
  };
  let takes = 0;
  while (!(await idle())) {
    const child = startRunner({ crash: true });
    takes++;
    while (child.signalCode === null && !(await idle())) await sleep(50);
    child.kill('SIGKILL');
  }
  const { status, error, attempts } = await job(id);
  expect(status).toBe('failed');
  expect(error?.message).toMatch(/3 times/);
  expect(attempts).toBe(3);
  // Three that died and the one that found out.
  expect(takes).toBe(4);
});

it('checkpoints, gives the job back and ends with code 0 on SIGTERM', {
  timeout: 120_000,
}, async () => {
  const { create, job, startMain, queue } = await service({ fast: false });
  const { id } = await create('spot');
  const first = startMain();
  await expect
    .poll(async () => (await job(id)).checkpoints.length, { timeout: 30_000 })
    .toBeGreaterThan(1);
  first.kill('SIGTERM');
  expect(await once(first, 'exit')).toEqual([0, null]);
  expect(await job(id)).toMatchObject({ status: 'queued', worker: null, attempts: 0 });
  expect(await queue.counts()).toEqual({ waiting: 1, inFlight: 0, delayed: 0 });
  expect(readdirSync(workDir)).toEqual([]);

  const second = startMain({ POLYPROMPT_JOB: `${TENANT}/${id}` });
  expect(await once(second, 'exit')).toEqual([0, null]);
  expect(await job(id)).toMatchObject({
    status: 'succeeded',
    result: { version: 1, hash: unbrokenHash },
  });

  const third = startMain();
  await expect.poll(() => queue.counts(), { timeout: 30_000 }).toMatchObject({ waiting: 0 });
  third.kill('SIGTERM');
  expect(await once(third, 'exit')).toEqual([0, null]);
});

it('refuses to start with bad settings, naming each', async () => {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, POLYPROMPT_BUCKET: 'state', POLYPROMPT_THREADS: 'many' },
  });
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  expect(await once(child, 'close')).toEqual([2, null]);
  expect(said).toMatch(/POLYPROMPT_QUEUE is not set/);
  expect(said).toMatch(/POLYPROMPT_THREADS is "many"/);
});
