/** Whole jobs through the real store, queue and registry, with tiny backbones. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFinished } from '@polyprompt/registry';
import { fileKeys, jobKeys } from '@polyprompt/storage';
import { runJob, traitsOf } from '@polyprompt/tuning';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readJobSettings } from './settings.ts';
import { BACKBONE_ID, dataLines, testBackbone } from './testing/backbone.ts';
import { fastClock, PROMPT, startService, TENANT } from './testing/service.ts';
import { runJobOnce } from './worker.ts';

const { models, folder: backboneFolder, backbone } = testBackbone();
const workDir = mkdtempSync(join(tmpdir(), 'polyprompt-tuner-work-'));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

const DATA = dataLines(48);
/** Long enough to be caught in the middle. */
const LONG = { n_epochs: 40, batch_size: 2 };
const SETTINGS = { length: 2, early_stopping: 0 };

/** Hash of the prompt that an unbroken run of the training loop alone gives. */
async function unbroken(hyperparameters: object, more: object = {}): Promise<string> {
  const out = mkdtempSync(join(workDir, 'unbroken-'));
  const train = join(out, 'data.jsonl');
  writeFileSync(train, DATA.join('\n'));
  const asked = { seed: 1, hyperparameters, settings: { ...SETTINGS, ...more } };
  const { settings, candidates } = readJobSettings(asked, traitsOf(backbone));
  const here = { device: 'cpu', threads: 1 } as const;
  await runJob({ backbone: backboneFolder, train, out, settings, candidates, ...here });
  const bytes = readFileSync(join(out, 'prompt.safetensors'));
  rmSync(out, { recursive: true });
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const service = (more: object = {}) => startService({ models, workDir, ...more });
const leftovers = () => readdirSync(workDir);

let longHash: string;
beforeAll(async () => {
  longHash = await unbroken(LONG);
});

describe('a job', () => {
  it('goes from a file to a version, with everything that its owner may ask for', async () => {
    const { upload, create, startTuner, ended, events, registry, queue } = await service();
    const file = await upload(DATA);
    const { id } = await create(file, { activate: 'staging' });
    startTuner();
    const job = await ended(id);
    expect(job).toMatchObject({
      status: 'succeeded',
      error: null,
      result: { version: 1, hash: await unbroken({ n_epochs: 6, batch_size: 8 }) },
      hyperparameters: { n_epochs: 6, batch_size: 8, learning_rate_multiplier: 1 },
    });
    expect(job.trainedTokens).toBeGreaterThan(DATA.length * 6);
    const prompt = await registry.prompts.get(TENANT, PROMPT);
    expect(prompt.aliases).toEqual({ production: { version: 1 }, staging: { version: 1 } });
    expect(prompt.versions[0]).toMatchObject({ job: id, backbone: BACKBONE_ID });

    const log = await events(id);
    const texts = log.map(({ message }) => message);
    expect(texts).toContain('train.jsonl: 48 usable examples, 0 errors, 0 warnings.');
    expect(texts).toContain('Training started: at most 36 steps.');
    expect(texts).toContain(`Version 1 of ${PROMPT} published, and ${PROMPT}@staging moved to it.`);
    const evaluated = log.filter(({ data }) => data?.valid_loss !== undefined);
    expect(evaluated.map(({ data }) => data?.step)).toEqual([6, 12, 18, 24, 30, 36]);
    expect(log.every(({ message }) => !message.includes('bread'))).toBe(true);

    expect(job.checkpoints.map(({ step }) => step)).toEqual([6, 12, 18, 24, 30, 36]);
    const [resultFile] = (job.progress as { resultFiles: string[] }).resultFiles;
    const { file: record, body } = await registry.files.content(TENANT, resultFile!);
    expect(record.purpose).toBe('fine-tune-results');
    const rows = Buffer.concat(await body.toArray())
      .toString()
      .trim()
      .split('\n');
    expect(rows).toHaveLength(7);
    expect(rows[0]).toBe(
      'step,accuracy,full_valid_loss,full_valid_mean_token_accuracy,train_loss,valid_loss',
    );
    const { reports } = await registry.files.get(TENANT, file);
    expect(reports['text-classification']).toMatchObject({ valid: true, examples: 48, issues: [] });
    const usage = await registry.usage.query(TENANT, { limit: 10 });
    expect(usage.items).toMatchObject([{ prompt: PROMPT, trainingTokens: job.trainedTokens }]);
    await expect.poll(() => queue.counts()).toEqual({ waiting: 0, inFlight: 0, delayed: 0 });
    expect(leftovers()).toEqual([]);
  });

  it('continues from a version, whatever its alias points to by then', async () => {
    const { upload, create, startTuner, ended, registry } = await service();
    const file = await upload(DATA);
    const first = await create(file);
    startTuner();
    await ended(first.id);
    const from = `ft:${BACKBONE_ID}:${TENANT}:${PROMPT}:1`;
    const settings = { early_stopping: 0, from };
    const second = await ended((await create(file, { settings })).id);
    expect(second).toMatchObject({ status: 'succeeded', result: { version: 2 } });
    const { card: parent } = await registry.prompts.version(TENANT, PROMPT, 1);
    const { card } = await registry.prompts.version(TENANT, PROMPT, 2);
    expect(card.lineage.parent).toEqual({ ref: from, hash: parent.hash });
    expect(card.length).toBe(2);
    expect(card.training.score).toBeGreaterThanOrEqual(parent.training.score);
    const gone = { early_stopping: 0, from: `${PROMPT}@9` };
    expect(await ended((await create(file, { settings: gone })).id)).toMatchObject({
      status: 'failed',
      error: { code: 'prompt_not_found', param: 'prompt.from' },
    });
  });

  it('has one version with two tuners and every message delivered twice', async () => {
    const { upload, create, startTuner, ended, queue, registry } = await service({
      clock: fastClock(20),
    });
    const file = await upload(DATA);
    const jobs = [await create(file), await create(file, { seed: 2 })];
    for (const { id: jobId } of jobs) await queue.send({ tenant: TENANT, jobId });
    const tuners = [startTuner(), startTuner()];
    for (const { id } of jobs) expect(await ended(id)).toMatchObject({ status: 'succeeded' });
    await expect
      .poll(() => queue.counts(), { timeout: 20_000 })
      .toEqual({ waiting: 0, inFlight: 0, delayed: 0 });
    for (const tuner of tuners) await tuner.stop();
    const { versions } = await registry.prompts.get(TENANT, PROMPT);
    expect(versions.map(({ job }) => job).sort()).toEqual(jobs.map(({ id }) => id).sort());
  });

  it('completes while 5 % of all calls fail in every way', async () => {
    const rate = 0.05;
    const { upload, create, startTuner, ended, registry, faults } = await service({
      clock: fastClock(20),
      faults: {
        conflict: rate,
        slowDown: rate,
        internalError: rate,
        errorAfterCommit: rate,
        resetAfterCommit: rate,
        cutBody: rate,
        duplicateDelivery: rate,
        earlyRedelivery: rate,
        reorder: rate,
        shortReceive: rate,
      },
    });
    const { id } = await create(await upload(DATA), { activate: 'staging' });
    startTuner();
    startTuner();
    const job = await ended(id);
    expect(job).toMatchObject({ status: 'succeeded' });
    expect(job.result?.hash).toBe(await unbroken({ n_epochs: 6, batch_size: 8 }));
    faults.clear();
    const prompt = await registry.prompts.get(TENANT, PROMPT);
    expect(prompt.versions).toHaveLength(1);
    expect(prompt.aliases.staging).toEqual({ version: 1 });
    expect(job.checkpoints).toHaveLength(6);
    expect(Object.keys(faults.counts).length).toBeGreaterThan(5);
  });
});

describe('a job that is stopped', () => {
  // The wishes of users are looked up every second.
  const quick = () => service({ clock: fastClock(10) });

  it('is given back with a checkpoint on shutdown, and goes on elsewhere to the same bytes', async () => {
    const { upload, create, startTuner, ended, until, registry } = await quick();
    const { id } = await create(await upload(DATA), { hyperparameters: LONG });
    const first = startTuner();
    await until(id, ({ checkpoints }) => checkpoints.length >= 2);
    await first.stop();
    const between = await registry.jobs.get(TENANT, id);
    expect(between).toMatchObject({ status: 'queued', worker: null, attempts: 0 });
    expect(between.saved).not.toBeNull();
    expect(leftovers()).toEqual([]);
    startTuner();
    const job = await ended(id);
    expect(job).toMatchObject({ status: 'succeeded', result: { version: 1, hash: longHash } });
    expect(job.checkpoints).toHaveLength(LONG.n_epochs);
  });

  it('is announced on the queue when it was given out without a message', async () => {
    const { upload, create, connect, ended, until, queue } = await quick();
    const { id } = await create(await upload(DATA), { hyperparameters: LONG });
    const stop = new AbortController();
    const work = runJobOnce({ tenant: TENANT, jobId: id }, connect({ signal: stop.signal }));
    await until(id, ({ checkpoints }) => checkpoints.length >= 2);
    stop.abort();
    expect(await work).toBe('given_back');
    expect(await queue.counts()).toMatchObject({ waiting: 2 });
    const rest = runJobOnce({ tenant: TENANT, jobId: id }, connect());
    expect(await rest).toBe('ended');
    expect(await ended(id)).toMatchObject({ status: 'succeeded', result: { hash: longHash } });
    expect(await runJobOnce({ tenant: TENANT, jobId: 'ftjob-none' }, connect())).toBe('ended');
  });

  it('that another worker has keeps no second machine, unless the other one has died', async () => {
    const { upload, create, connect } = await quick();
    const { id: jobId } = await create(await upload(DATA));
    const holder = connect();
    const handle = await holder.registry.jobs.take(TENANT, jobId, 'another');
    if (typeof handle === 'string') throw new Error(handle);
    const message = { tenant: TENANT, jobId };
    expect(await runJobOnce(message, connect({ busySeconds: 0.01 }))).toBe('lost');
    const second = runJobOnce(message, connect({ busySeconds: 1 }));
    await handle.release();
    expect(await second).toBe('ended');
  });

  it('pauses, leaves the queue, and resumes to the same bytes', async () => {
    const { upload, create, startTuner, ended, until, registry, queue, events } = await quick();
    const { id } = await create(await upload(DATA), { hyperparameters: LONG });
    startTuner();
    await until(id, ({ checkpoints }) => checkpoints.length >= 2);
    await registry.jobs.pause(TENANT, id);
    await until(id, ({ status }) => status === 'paused');
    await expect.poll(() => queue.counts()).toEqual({ waiting: 0, inFlight: 0, delayed: 0 });
    await registry.jobs.resume(TENANT, id);
    expect(await ended(id)).toMatchObject({ status: 'succeeded', result: { hash: longHash } });
    const texts = (await events(id)).map(({ message }) => message);
    expect(texts).toContainEqual(expect.stringMatching(/^Training continues after step [1-9]/));
  });

  it('starts over, and says so, where its checkpoint is of no use', async () => {
    const { upload, create, startTuner, ended, until, registry, storage, events } = await quick();
    const { id } = await create(await upload(DATA), { hyperparameters: LONG });
    startTuner();
    await until(id, ({ checkpoints }) => checkpoints.length >= 2);
    await registry.jobs.pause(TENANT, id);
    await until(id, ({ status }) => status === 'paused');
    let spoilt = 0;
    for await (const { key } of storage.list(jobKeys(TENANT, id).checkpoints)) {
      await storage.blobs.put(key, 'garbage');
      spoilt++;
    }
    expect(spoilt).toBe(1);
    await registry.jobs.resume(TENANT, id);
    expect(await ended(id)).toMatchObject({ status: 'succeeded', result: { hash: longHash } });
    const texts = (await events(id)).map(({ message }) => message);
    expect(texts).toContainEqual(expect.stringMatching(/^Training starts over/));
  });

  it('keeps the best version so far when it is cancelled', async () => {
    const { upload, create, startTuner, ended, until, registry } = await quick();
    const { id } = await create(await upload(DATA), {
      hyperparameters: LONG,
      activate: 'staging',
    });
    startTuner();
    await until(id, ({ checkpoints }) => checkpoints.length >= 2);
    await registry.jobs.cancel(TENANT, id);
    const job = await ended(id);
    expect(job).toMatchObject({ status: 'cancelled', result: { version: 1 } });
    expect(job.trainedTokens).toBeGreaterThan(0);
    const { card } = await registry.prompts.version(TENANT, PROMPT, 1);
    const scores = job.checkpoints.map(({ metrics }) => metrics.accuracy!);
    expect(card.training.score).toBe(Math.max(...scores));
    expect(card.training.steps).toBeLessThan(LONG.n_epochs * 22);
    // What was asked for was a complete run.
    expect((await registry.prompts.get(TENANT, PROMPT)).aliases.staging).toBeUndefined();
  });

  it('keeps the best version of a paused job, too', async () => {
    const { upload, create, startTuner, ended, until, registry } = await quick();
    const { id } = await create(await upload(DATA), { hyperparameters: LONG });
    startTuner();
    await until(id, ({ checkpoints }) => checkpoints.length >= 2);
    await registry.jobs.pause(TENANT, id);
    await until(id, ({ status }) => status === 'paused');
    await registry.jobs.cancel(TENANT, id);
    expect(await ended(id)).toMatchObject({ status: 'cancelled', result: { version: 1 } });
  });

  it('ends without a version when it is cancelled before there is one', async () => {
    const { upload, create, startTuner, ended, until, registry } = await quick();
    const hyperparameters = { n_epochs: 50, batch_size: 1 };
    const { id } = await create(await upload(dataLines(4000)), { hyperparameters });
    startTuner();
    await until(id, ({ saved }) => saved !== null);
    await registry.jobs.cancel(TENANT, id);
    expect(await ended(id)).toMatchObject({ status: 'cancelled', result: null });
    await expect(registry.prompts.get(TENANT, PROMPT)).rejects.toMatchObject({
      code: 'prompt_not_found',
    });
  });

  it('writes nothing more once another worker has it', async () => {
    const { upload, create, startTuner, until, storage, registry } = await quick();
    const { id } = await create(await upload(DATA), { hyperparameters: LONG });
    const tuner = startTuner();
    const { fence } = await until(id, ({ checkpoints }) => checkpoints.length >= 2);
    const lease = z.looseObject({ fence: z.number(), holder: z.string(), expires: z.number() });
    await storage.documents(lease).update(jobKeys(TENANT, id).lease, (held) => ({
      ...held,
      fence: fence + 1,
      holder: 'another',
      expires: held.expires + 1e9,
    }));
    const anyJob = z.looseObject({ fence: z.number(), worker: z.string().nullable() });
    const { value } = await storage
      .documents(anyJob)
      .update(jobKeys(TENANT, id).document, (job) => ({
        ...job,
        fence: fence + 1,
        worker: 'another',
      }));
    await expect.poll(leftovers, { timeout: 20_000 }).toEqual([]);
    await tuner.stop();
    expect(await registry.jobs.get(TENANT, id)).toEqual(value);
    await expect(registry.prompts.get(TENANT, PROMPT)).rejects.toThrow();
  });
});

describe('a job that cannot succeed', () => {
  it('fails with the lines of its bad data, and files the whole report', async () => {
    const { upload, create, startTuner, ended, events, registry } = await service();
    const lines = dataLines(1000);
    lines[16] = '{"text": "rain"';
    lines[499] = '{"text": "", "label": "food"}';
    lines[998] = '{"text": "bread"}';
    const file = await upload(lines, 'thousand.jsonl');
    const { id } = await create(file);
    startTuner();
    const job = await ended(id);
    expect(job).toMatchObject({
      status: 'failed',
      error: { code: 'invalid_training_file', param: 'training_file' },
    });
    const [head, ...problems] = job.error!.message.split('\n');
    expect(head).toBe('3 problems in thousand.jsonl:');
    expect(problems.map((line) => line.split(': ')[0])).toEqual([
      'thousand.jsonl, line 17',
      'thousand.jsonl, line 500',
      'thousand.jsonl, line 999',
    ]);
    const { reports } = await registry.files.get(TENANT, file);
    const report = reports['text-classification'] as {
      issues: { line: number; severity: string }[];
    };
    expect(report).toMatchObject({ valid: false, errors: 3, examples: 997 });
    const errors = report.issues.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ line }) => line)).toEqual([17, 500, 999]);
    expect((await events(id)).at(-1)).toMatchObject({
      level: 'error',
      message: job.error!.message,
    });
  });

  it('fails for a file that is gone, a backbone that is not here, settings that do not fit', async () => {
    const { upload, create, startTuner, ended, storage } = await service();
    const file = await upload(DATA);
    const gone = await upload(DATA);
    const jobs = {
      file_not_found: await create(gone),
      model_not_found: await create(file, { backbone: 'large' }),
      invalid_settings: await create(file, { settings: { length: 500 } }),
    };
    await storage.blobs.removeAll(fileKeys(TENANT, gone).folder);
    startTuner();
    for (const [code, { id }] of Object.entries(jobs)) {
      expect(await ended(id)).toMatchObject({ status: 'failed', error: { code } });
    }
  });

  it('fails with the reason when the worker cannot cope with it, rather than looping', async () => {
    const { upload, create, startTuner, ended, registry } = await service();
    const { id } = await create(await upload(DATA));
    let attempts = 0;
    startTuner({
      backbones: async () => {
        attempts++;
        throw new Error('the disk is on fire');
      },
    });
    const job = await ended(id);
    expect(job.error).toEqual({
      code: 'worker_error',
      message: 'the job failed 3 times without getting ahead; the last time: the disk is on fire',
      param: null,
    });
    expect(attempts).toBe(3);
    expect(isFinished((await registry.jobs.get(TENANT, id)).status)).toBe(true);
    expect(existsSync(workDir)).toBe(true);
  });
});
