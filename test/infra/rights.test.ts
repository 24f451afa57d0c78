/**
 * The roles of the stacks against the code that runs under them: a key, a file, a job, a version, a prediction and
 * their ends, with every process held to its role. What the code asks for is granted, and what is granted is
 * asked for.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { CreateMultipartUploadCommand, S3Client } from '@aws-sdk/client-s3';
import { hashFiles, openBackbone } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { systemClock } from '@polyprompt/clock';
import { startLocalCloud } from '@polyprompt/local-cloud';
import { createRegistry, JobMessage } from '@polyprompt/registry';
import { createStorage, fileKeys, jobKeys } from '@polyprompt/storage';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { spawnService } from '../../functions/api/src/testing/spawned.ts';
import { endFailedJob } from '../../functions/tuner/src/failed-job.ts';
import { openServerless } from '../../functions/tuner/src/serverless.ts';
import { sweepStore } from '../../functions/tuner/src/sweep.ts';
import { Evaluator, type Stack } from '../../stacks/testing/evaluation.ts';
import { platformMissing } from '../../stacks/testing/platform.ts';
import { type GuardedStore, guardStore } from './guarded-store.ts';

const missing = platformMissing();
const ROOT = join(import.meta.dirname, '../..');
const KEY = 'key-of-the-tests';
const BUCKET = 'state';
/** What is asked for only when something goes wrong, by role. */
const RARE: Readonly<Record<string, RegExp>> = {
  // A worker died between ending a job and tidying up behind it.
  ApiRole: /AbortMultipartUpload|DeleteObject s3:state\/checkpoints/,
  // A job is taken over or given back; a deletion of somebody else was interrupted.
  TunerRole:
    /AbortMultipartUpload|GetObject s3:state\/checkpoints|DeleteObject s3:state\/tenants|sqs/,
  FailedJobRole: /^$/,
  SweepRole: /^$/,
};

const cleanUp = new AsyncDisposableStack();
afterAll(() => cleanUp.disposeAsync());

const WORDS = ['rain', 'snow', 'bread', 'soup', 'the', 'is', 'a'];
const DATA = Array.from({ length: 48 }, (_, i) =>
  JSON.stringify({
    text: `the ${WORDS[i % 4]} is a ${WORDS[i % 4]} ${i}`,
    label: i % 4 < 2 ? 'weather' : 'food',
  }),
).join('\n');

/** Store, queue, a backbone in the store and none on the machine. */
async function setUp(stack: Stack) {
  const folder = mkdtempSync(join(tmpdir(), 'polyprompt-rights-'));
  cleanUp.defer(() => rmSync(folder, { recursive: true, force: true }));
  const cloud = await startLocalCloud({ dir: ':memory:' });
  cleanUp.defer(() => cloud.close());
  const { endpoint, credentials } = cloud;
  vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey);
  const storage = createStorage({ endpoint, credentials, bucket: BUCKET });
  await storage.ensureBucket();
  const { url } = await storage.ensureQueue('jobs');
  const queue = storage.queue(url, JobMessage);
  const registry = createRegistry({ storage, queue });
  cleanUp.defer(async () => {
    await registry.close();
    storage.close();
  });
  const model = join(folder, 'tiny');
  writeTinyBackbone(model, { family: 'roberta', words: WORDS, hidden: 16, layers: 2, std: 0.2 });
  const backbone = openBackbone(model);
  await registry.backbones.push({
    id: 'tiny',
    fingerprint: await backbone.fingerprint(),
    files: await hashFiles(model, backbone.checkpoint.files),
  });

  /** The environment of a process that is held to a role. */
  const as = async (role: string) => {
    const rights = stack
      .rights(role)
      .filter((right) => !right.startsWith('logs:'))
      .map((right) =>
        right.replace('s3:StateBucket', `s3:${BUCKET}`).replace(/sqs:polyprompt\S*/, 'sqs:jobs'),
      );
    const store = await guardStore(endpoint, rights);
    cleanUp.defer(() => store.close());
    const environment = {
      POLYPROMPT_ENDPOINT: store.endpoint,
      POLYPROMPT_BUCKET: BUCKET,
      POLYPROMPT_QUEUE: url.replace(endpoint, store.endpoint),
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    };
    return { role, rights, store, environment };
  };
  /** A job on a file that has expired since. */
  const createLongAgo = async () => {
    const ago = 2 * 3600_000;
    const clock = { ...systemClock, now: () => Date.now() - ago };
    const { files, jobs } = createRegistry({ storage, queue, clock });
    const { id: trainingFile } = await files.create('default', {
      filename: 'a.jsonl',
      purpose: 'fine-tune',
      expires: Date.now() - ago / 2,
      body: Readable.from([Buffer.from('x')]),
    });
    const spec = { backbone: 'tiny', trainingFile, validationFile: null, seed: 1, activate: null };
    const rest = { metadata: {}, hyperparameters: {}, settings: {} };
    return jobs.create('default', { ...spec, ...rest }, { bodyHash: 'long ago' });
  };
  /**
   * What a sweep is there for, in two days: an expired file, an interrupted upload, two in parts, and the state of a
   * job that has ended.
   */
  const leaveRubbish = async (endedJob: string) => {
    const state = (fence: number) => `${jobKeys('default', endedJob).checkpoints}${fence}`;
    await storage.blobs.put(state(1), 'a state');
    const { id } = await registry.files.create('default', {
      filename: 'a.jsonl',
      purpose: 'fine-tune',
      expires: Date.now() + 3600_000,
      body: Readable.from([Buffer.from('x')]),
    });
    const interrupted = (end: string) => fileKeys('default', id.replace(/.{4}$/, end)).content;
    await storage.blobs.create(interrupted('0000'), 'half');
    const s3 = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
    for (const Key of [interrupted('0001'), state(2)])
      await s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key }));
    s3.destroy();
  };

  /** The function that sweeps, in the environment of its role, two days from now. */
  const sweepLater = async (environment: Awaited<ReturnType<typeof as>>['environment']) => {
    const { POLYPROMPT_ENDPOINT, POLYPROMPT_QUEUE } = environment;
    const held = createStorage({ endpoint: POLYPROMPT_ENDPOINT, credentials, bucket: BUCKET });
    const later = createRegistry({
      storage: held,
      queue: held.queue(POLYPROMPT_QUEUE, JobMessage),
      clock: { ...systemClock, now: () => Date.now() + 48 * 3600_000 },
    });
    const report = await sweepStore({ ...openServerless(environment), registry: later });
    held.close();
    return report;
  };
  return { folder, registry, queue, as, createLongAgo, leaveRubbish, sweepLater };
}

/** What Batch makes of a message: through the pipe's paths into the job's command. */
function batchCommand(stack: Stack, message: JobMessage): string[] {
  const { parameters } = stack.one('pipes/pipe:Pipe').targetParameters.batchJobParameters;
  const { command } = JSON.parse(
    stack.one('batch/jobDefinition:JobDefinition').containerProperties,
  );
  return command.map((argument: string) => {
    const [, name] = /^Ref::(\w+)$/.exec(argument) ?? [];
    if (name === undefined) return argument;
    const [, field] = /^\$\.body\.(\w+)$/.exec(parameters[name])!;
    return message[field as keyof JobMessage];
  });
}

const PERFECT = { denied: [], spare: [] };

interface Held {
  readonly role: string;
  readonly rights: readonly string[];
  readonly store: GuardedStore;
}

function report({ role, rights, store }: Held) {
  const spare = rights.filter((right) => !store.used.has(right) && !RARE[role]!.test(right));
  return { denied: [...store.denied], spare };
}

describe.skipIf(missing)(`the roles${missing ? ` (${missing})` : ''}`, () => {
  let stack: Stack;
  let parts: Awaited<ReturnType<typeof setUp>>;
  beforeAll(async () => {
    const evaluator = new Evaluator();
    stack = await evaluator.evaluate('somebody');
    evaluator.close();
    parts = await setUp(stack);
  });

  it('suffice from the first key to the last deletion, and have nothing to spare', async () => {
    const { folder, registry, queue, as, createLongAgo, leaveRubbish, sweepLater } = parts;
    const api = await as('ApiRole');
    const service = await spawnService({
      ...api.environment,
      POLYPROMPT_PORT: '0',
      POLYPROMPT_TUNER: 'off',
      POLYPROMPT_SWEEP_MINUTES: '0',
      POLYPROMPT_BACKBONE: 'tiny',
      POLYPROMPT_HOME: join(folder, 'api'),
      POLYPROMPT_KEY: KEY,
    });
    cleanUp.defer(async () => {
      await service.end('SIGKILL');
    });
    const call = async (method: string, path: string, body?: object | FormData) => {
      const json = body !== undefined && !(body instanceof FormData);
      const response = await fetch(`${service.url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${KEY}`,
          ...(json ? { 'content-type': 'application/json' } : {}),
        },
        ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : (body as FormData) }),
      });
      const text = await response.text();
      expect(response.ok, `${method} ${path}: ${text}`).toBe(true);
      return JSON.parse(text);
    };
    const form = new FormData();
    form.set('purpose', 'fine-tune');
    form.set('file', new File([DATA], 'train.jsonl'));
    const file = await call('POST', '/v1/files', form);
    const create = (suffix: string) =>
      call('POST', '/v1/fine_tuning/jobs', {
        model: 'tiny',
        training_file: file.id,
        suffix,
        hyperparameters: { n_epochs: 4, batch_size: 8 },
        prompt: { task: 'text-classification', length: 2 },
      });
    const job = await create('topics');

    const tuner = await as('TunerRole');
    const [message] = await queue.receive({ waitSeconds: 1 });
    const [shell = '', ...args] = batchCommand(stack, message!.body);
    const child = spawn(shell, args, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        PATH: process.env.PATH,
        ...tuner.environment,
        POLYPROMPT_WORK: join(folder, 'work'),
        POLYPROMPT_DEVICE: 'cpu',
        POLYPROMPT_CHECKPOINT_SECONDS: '0',
        POLYPROMPT_LOG_LEVEL: 'warn',
      },
    });
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    expect(await call('GET', `/v1/fine_tuning/jobs/${job.id}`)).toMatchObject({
      status: 'succeeded',
    });
    await call('GET', `/v1/fine_tuning/jobs/${job.id}/events`);
    await call('POST', '/models/topics', { inputs: 'the snow is a snow' });
    const other = await call('POST', '/v1/keys', { name: 'other', scopes: ['infer'] });
    await call('GET', '/v1/keys');
    await call('DELETE', `/v1/keys/${other.id}`);

    const failing = await create('fails');
    const failed = await as('FailedJobRole');
    const event = {
      time: new Date().toISOString(),
      detail: { parameters: { tenant: 'default', job: failing.id } },
    };
    const deps = openServerless(failed.environment);
    // A checkpoint that a killed worker left.
    const handle = await registry.jobs.take('default', failing.id, 'dies');
    if (typeof handle === 'string') throw new Error(handle);
    await handle.saveState('a state');
    await handle.release();
    await queue.receive({ max: 10, waitSeconds: 0 });
    expect(
      await endFailedJob({ ...event, detail: { ...event.detail, statusReason: 'Host EC2' } }, deps),
    ).toBe('announced');
    expect(await endFailedJob(event, deps)).toBe('failed');
    const { id: old } = await createLongAgo();
    await queue.receive({ max: 10, waitSeconds: 0 });
    const oldFailed = { ...event, detail: { parameters: { tenant: 'default', job: old } } };
    expect(await endFailedJob(oldFailed, deps)).toBe('failed');

    const sweep = await as('SweepRole');
    await leaveRubbish(failing.id);
    const forgotten = await create('forgotten');
    await queue.receive({ waitSeconds: 1 });
    expect(await sweepStore(openServerless(sweep.environment))).toMatchObject({
      files: 0,
      states: 1,
    });
    expect(await sweepLater(sweep.environment)).toMatchObject({
      tenants: 1,
      files: 2,
      uploads: 2,
      requests: 4,
      reminded: 1,
      complete: true,
    });
    const [announced] = await queue.receive({ waitSeconds: 1 });
    expect(announced?.body.jobId).toBe(forgotten.id);
    await call('POST', `/v1/fine_tuning/jobs/${forgotten.id}/cancel`);
    await call('DELETE', '/v1/prompts/topics/aliases/production');
    await call('DELETE', '/v1/prompts/topics');
    await call('DELETE', `/v1/files/${file.id}`);
    await service.end('SIGTERM');
    expect.soft(report(api)).toEqual(PERFECT);
    expect.soft(report(tuner)).toEqual(PERFECT);
    expect.soft(report(failed)).toEqual(PERFECT);
    expect.soft(report(sweep)).toEqual(PERFECT);
  });
});
