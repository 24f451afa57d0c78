/** The unmodified `openai` client: files, tuning jobs, models. A stand-in works on the jobs. */

import { eachRoute, type PresignedUpload } from '@polyprompt/contract';
import type { JobHandle } from '@polyprompt/registry';
import OpenAI, { toFile } from 'openai';
import { describe, expect, it } from 'vitest';
import { dataLines, startServer } from './setup.ts';

const limits = { uploadBytes: 1_000_000, checkBytes: 1_000_000 };
const TENANT_JOBS = 25;
const server = await startServer({ deps: { limits }, registry: { tenantJobs: TENANT_JOBS } });
const { key, publish, openai, sent, seen, registry } = server;
const client = openai(await key('acme', 'admin'));
const patient = openai(await key('acme', 'admin'), { maxRetries: 2 });
await publish('acme', 'topics', { seed: 1 });
await publish('acme', 'topics', { seed: 2 });

const DATA = `${dataLines(20).join('\n')}\n`;
const upload = (text = DATA, name = 'train.jsonl') =>
  toFile(Buffer.from(text), name).then((file) =>
    client.files.create({ file, purpose: 'fine-tune' }),
  );

async function collect<T>(items: AsyncIterable<T>, limit = 100): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) if (all.push(item) >= limit) break;
  return all;
}

async function failure(call: () => PromiseLike<unknown>) {
  const before = sent.length;
  const error = await call().then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(OpenAI.APIError);
  const { status, code, param, message, requestID } = error as InstanceType<typeof OpenAI.APIError>;
  return { error, status, code, param, message, requestID, requests: sent.length - before };
}

/** Takes the job as a tuner would. */
async function work(id: string): Promise<JobHandle> {
  const handle = await registry.jobs.take('acme', id, 'worker');
  if (typeof handle === 'string') throw new Error(handle);
  await handle.validated();
  return handle;
}

describe('files', () => {
  it('are created, waited for, retrieved, downloaded and deleted', async () => {
    const file = await upload();
    expect(file).toMatchObject({ object: 'file', bytes: DATA.length, filename: 'train.jsonl' });
    expect((await client.files.waitForProcessing(file.id)).status).toBe('processed');
    expect(await client.files.retrieve(file.id)).toEqual(file);
    expect(await (await client.files.content(file.id)).text()).toBe(DATA);
    expect(await client.files.delete(file.id)).toEqual({
      id: file.id,
      object: 'file',
      deleted: true,
    });
    expect(await failure(() => client.files.retrieve(file.id))).toMatchObject({
      status: 404,
      code: 'file.not_found',
    });
  });

  it('expire when asked to', async () => {
    const expires_after = { anchor: 'created_at', seconds: 7200 } as const;
    const file = await toFile(Buffer.from(DATA), 'train.jsonl');
    const created = await client.files.create({ file, purpose: 'fine-tune', expires_after });
    expect(created.expires_at! - created.created_at).toBeGreaterThanOrEqual(7199);
  });

  it('are paged through, each once', async () => {
    for (let i = 0; i < 5; i++) await upload();
    const before = sent.length;
    const ids = (await collect(client.files.list({ limit: 2 }))).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(5);
    expect(sent.length - before).toBe(Math.ceil(ids.length / 2));
    const up = await collect(client.files.list({ limit: 2, order: 'asc' }));
    expect(up.map(({ id }) => id)).toEqual(ids.toReversed());
  });

  it('that are too large are refused with the way around', async () => {
    const refused = await failure(() => upload('x'.repeat(1_100_000)));
    expect(refused).toMatchObject({ status: 413, code: 'body.too_large', requests: 1 });
    expect(refused.message).toContain('/v1/files/presign');
  });

  it('are put to a URL past the API, waited for, and trained on', async () => {
    const body = { filename: 'big.jsonl', purpose: 'fine-tune', bytes: DATA.length };
    const upload = await client.post<PresignedUpload>('/files/presign', { body });
    const { id } = upload.file;
    const job = { model: 'tiny', training_file: id };
    expect(await failure(() => client.fineTuning.jobs.create(job))).toMatchObject({
      status: 422,
      code: 'file.invalid',
      param: 'training_file',
    });
    const waiting = client.files.waitForProcessing(id, { pollInterval: 20 });
    const put = await fetch(upload.url, { method: 'PUT', headers: upload.headers, body: DATA });
    expect(put.status).toBe(200);
    expect(await waiting).toMatchObject({ status: 'processed', bytes: DATA.length });
    expect(await (await client.files.content(id)).text()).toBe(DATA);
    expect((await client.fineTuning.jobs.create(job)).training_file).toBe(id);
    // The URL is for one upload: what is there stays as it is.
    const again = await fetch(upload.url, { method: 'PUT', headers: upload.headers, body: DATA });
    expect(again.status).toBe(412);
  });

  it('may be streams', async () => {
    const { createReadStream } = await import('node:fs');
    const path = new URL('../../examples/topics/train.jsonl', import.meta.url);
    const file = await client.files.create({ file: createReadStream(path), purpose: 'fine-tune' });
    expect(file).toMatchObject({ filename: 'train.jsonl', status: 'processed' });
    expect(file.bytes).toBeGreaterThan(10_000);
  });

  it('are checked line by line on request', async () => {
    const lines = dataLines(10_000);
    lines[41] = '{"text": "no label"}';
    lines[4711] = '{"text": ';
    lines[9998] = '{"text": "", "label": "food"}';
    const file = await upload(lines.join('\n'));
    const body = { file_id: file.id, task: 'text-classification' };
    const report = (await client.post('/files/validate', { body })) as {
      errors: number;
      issues: { line: number; severity: string }[];
    };
    expect(report.errors).toBe(3);
    const bad = report.issues.filter(({ severity }) => severity === 'error');
    expect(bad.map(({ line }) => line)).toEqual([42, 4712, 9999]);
  });
});

describe('tuning jobs', () => {
  let count = 0;
  const create = async (more: object = {}) => {
    const { id: training_file } = await upload();
    const metadata = { n: String(count++) };
    return client.fineTuning.jobs.create({ model: 'tiny', training_file, metadata, ...more });
  };

  it('are created with native settings, which ride along', async () => {
    const prompt = { task: 'text-classification', length: 4, activate: 'staging' };
    const job = await create({ suffix: 'made', seed: 3, prompt });
    expect(job).toMatchObject({
      object: 'fine_tuning.job',
      model: 'tiny',
      seed: 3,
      status: 'validating_files',
      error: null,
      prompt,
    });
    expect(await client.fineTuning.jobs.retrieve(job.id)).toEqual(job);
  });

  it('are not doubled by a client that repeats itself', async () => {
    const { id: training_file } = await upload();
    const body = { model: 'tiny', training_file };
    const first = await client.fineTuning.jobs.create(body);
    expect((await client.fineTuning.jobs.create(body)).id).toBe(first.id);
    const options = { idempotencyKey: 'only-once' };
    const headers = { 'Idempotency-Key': 'only-once' };
    const keyed = await client.fineTuning.jobs.create(
      { ...body, seed: 5 },
      { ...options, headers },
    );
    const again = await client.fineTuning.jobs.create(
      { ...body, seed: 5 },
      { ...options, headers },
    );
    expect(again.id).toBe(keyed.id);
  });

  it('tell their events and checkpoints, and end with a model', async () => {
    const { id } = await create({ suffix: 'finished' });
    const handle = await work(id);
    for (let step = 1; step <= 5; step++) {
      const data = { step, train_loss: 1 / step };
      await handle.event({ level: 'info', message: `step ${step}`, type: 'metrics', data });
      await handle.addCheckpoint({ step, metrics: { valid_loss: 1 / step } });
    }
    await publish('acme', 'finished', { seed: 9 });
    const { hash } = await registry.prompts.version('acme', 'finished', 1);
    await handle.finish({ status: 'succeeded', result: { version: 1, hash } });

    const job = await client.fineTuning.jobs.retrieve(id);
    expect(job).toMatchObject({ status: 'succeeded', fine_tuned_model: 'ft:tiny:acme:finished:1' });
    const events = await collect(client.fineTuning.jobs.listEvents(id, { limit: 2 }));
    const steps = events.filter(({ type }) => type === 'metrics').map(({ message }) => message);
    expect(steps).toEqual(['step 5', 'step 4', 'step 3', 'step 2', 'step 1']);
    const checkpoints = await collect(client.fineTuning.jobs.checkpoints.list(id, { limit: 2 }));
    expect(checkpoints.map(({ step_number }) => step_number)).toEqual([5, 4, 3, 2, 1]);
    const model = await client.models.retrieve(job.fine_tuned_model!);
    expect(model).toMatchObject({ id: job.fine_tuned_model, owned_by: 'acme' });
    expect(await failure(() => client.fineTuning.jobs.cancel(id))).toMatchObject({
      status: 400,
      code: 'job.finished',
      requests: 1,
    });
  });

  it('are refused beyond the limit of a tenant, and not asked for again in vain', async () => {
    const crowded = openai(await key('crowded', 'tune'), { maxRetries: 2 });
    const file = await toFile(Buffer.from(DATA), 'train.jsonl');
    const { id: training_file } = await crowded.files.create({ file, purpose: 'fine-tune' });
    const one = (n: number) =>
      crowded.fineTuning.jobs.create({ model: 'tiny', training_file, seed: n });
    const first = await one(0);
    for (let n = 1; n < TENANT_JOBS; n++) await one(n);
    const refused = await failure(() => one(TENANT_JOBS));
    expect(refused.error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(refused).toMatchObject({ code: 'quota', requests: 1 });
    expect(refused.message).toContain(`has ${TENANT_JOBS} jobs that have not ended, the limit`);
    expect((refused.error as { headers: Headers }).headers.get('retry-after')).toBe('60');
    await crowded.fineTuning.jobs.cancel(first.id);
    expect((await one(TENANT_JOBS)).status).toBe('validating_files');
  });

  it('are paused, resumed and cancelled', async () => {
    const { id } = await create();
    expect((await client.fineTuning.jobs.pause(id)).status).toBe('paused');
    expect((await client.fineTuning.jobs.resume(id)).status).toBe('queued');
    expect((await client.fineTuning.jobs.cancel(id)).status).toBe('cancelled');
    expect((await client.fineTuning.jobs.cancel(id)).status).toBe('cancelled');
  });

  it('are paged through, by tags too', async () => {
    for (let i = 0; i < 3; i++) await create({ metadata: { kind: 'paged', i: String(i) } });
    const tagged = client.fineTuning.jobs.list({ limit: 2, metadata: { kind: 'paged' } });
    const jobs = await collect(tagged);
    expect(jobs.map(({ metadata }) => metadata!.i)).toEqual(['2', '1', '0']);
    const all = await collect(client.fineTuning.jobs.list({ limit: 3 }));
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(3);
  });

  it('on what is not there are refused by field', async () => {
    const { id: training_file } = await upload();
    await client.files.delete(training_file);
    const jobs = client.fineTuning.jobs;
    expect(await failure(() => jobs.create({ model: 'tiny', training_file }))).toMatchObject({
      status: 404,
      code: 'file.not_found',
      param: 'training_file',
    });
    expect(await failure(() => jobs.create({ model: 'gpt-9', training_file }))).toMatchObject({
      status: 404,
      code: 'backbone.not_found',
      param: 'model',
    });
    expect(await failure(() => jobs.retrieve('ftjob-none'))).toMatchObject({ status: 404 });
  });
});

describe('models', () => {
  it('are listed, retrieved by any name, and deleted', async () => {
    const all = await collect(client.models.list());
    expect(all.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['tiny', 'ft:tiny:acme:topics:1', 'ft:tiny:acme:topics:2']),
    );
    // The client sends the slash as %2F.
    for (const name of ['topics@2', 'acme/topics@2', 'ft:tiny:acme:topics:2']) {
      expect((await client.models.retrieve(name)).id).toBe('ft:tiny:acme:topics:2');
    }
    await publish('acme', 'topics', { seed: 3 });
    expect(await client.models.delete('topics@3')).toMatchObject({ deleted: true });
  });
});

describe('errors', () => {
  it('have class, code, message and request id', async () => {
    const unknown = await failure(() => client.models.retrieve('none'));
    expect(unknown.error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(unknown.message).toBe('404 no prompt "none"; GET /v1/prompts lists those of this key');
    expect(unknown.requestID).toMatch(/^req-/);
    const weak = openai(await key('acme', 'infer'));
    const forbidden = await failure(() => weak.files.list());
    expect(forbidden.error).toBeInstanceOf(OpenAI.PermissionDeniedError);
    const nobody = await failure(() => openai('pp_wrong').models.list());
    expect(nobody.error).toBeInstanceOf(OpenAI.AuthenticationError);
    const invalid = await failure(() =>
      client.fineTuning.jobs.create({ model: 'tiny', training_file: '../x' }),
    );
    expect(invalid.error).toBeInstanceOf(OpenAI.UnprocessableEntityError);
    expect(invalid.param).toBe('training_file');
  });

  it('that repeating cannot mend are not repeated', async () => {
    const lost = await failure(() => patient.models.delete('topics'));
    expect(lost.error).toBeInstanceOf(OpenAI.ConflictError);
    expect(lost).toMatchObject({ code: 'prompt.in_use', requests: 1 });
    expect(await failure(() => patient.models.retrieve('none'))).toMatchObject({ requests: 1 });
  });

  it('of overload are repeated after the time that the server states', async () => {
    const task = 'text-classification';
    const { id: file_id } = await upload(dataLines(9000).join('\n'));
    const check = () => patient.post('/files/validate', { body: { file_id, task } });
    const before = sent.length;
    const results = await Promise.all([1, 2, 3, 4].map(check));
    expect(results).toHaveLength(4);
    const statuses = sent.slice(before).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(4);
    expect(statuses).toContain(429);
  });
});

it('has driven every operation that OpenAI has too, each answer as the contract says', () => {
  const native = ['presignFile', 'validateFile'];
  const claimed = eachRoute()
    .filter(
      ([id, { tag }]) => ['Files', 'Tuning jobs', 'Models'].includes(tag) && !native.includes(id),
    )
    .map(([id]) => id);
  expect(claimed.length).toBe(16);
  expect(claimed.filter((id) => !seen.has(`${id} 200`))).toEqual([]);
});
