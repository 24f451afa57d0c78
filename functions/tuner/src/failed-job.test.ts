/** The functions beside the tuner, over the real store and queue. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Registry } from '@polyprompt/registry';
import { StorageError } from '@polyprompt/storage';
import { build } from 'esbuild';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { endFailedJob } from './failed-job.ts';
import { sweepStore } from './sweep.ts';
import { startService, TENANT } from './testing/service.ts';

const TIME = '2026-11-21T12:00:00Z';
const SOON = Date.parse(TIME) + 1000;
const LATER = Date.parse(TIME) + 180_000;

/** As EventBridge delivers it, shortened; what is not ours to use is there too. */
const failureOf = (job: string, detail: object = {}) => ({
  version: '0',
  'detail-type': 'Batch Job State Change',
  source: 'aws.batch',
  account: '123456789012',
  time: TIME,
  detail: {
    jobName: 'tune',
    jobId: '4c7599ae-0a82-49aa-ba5a-4727fcce14a8',
    status: 'FAILED',
    statusReason: 'Essential container in task exited',
    attempts: [],
    parameters: { tenant: TENANT, job },
    container: { exitCode: 1, environment: [] },
    ...detail,
  },
});

async function waitingJob() {
  const service = await startService({ models: 'none', workDir: 'none' });
  const { upload, create, connect } = service;
  const file = await upload(['{"text":"a","label":"b"}']);
  const job = await create(file);
  const { registry, queue } = connect();
  const deps = (now: number) => ({
    registry,
    queue,
    log: pino({ level: 'silent' }),
    now: () => now,
  });
  const end = (detail?: object, now = SOON) => endFailedJob(failureOf(job.id, detail), deps(now));
  return { ...service, file, job, deps, end };
}

describe('a job that Batch gave up', () => {
  it('has failed, with the reason, and lets go of its files', async () => {
    const { end, job, file, registry, events } = await waitingJob();
    expect(await end()).toBe('failed');
    const message =
      'the machine gave up on this job: Essential container in task exited; exit code 1';
    expect(await registry.jobs.get(TENANT, job.id)).toMatchObject({
      status: 'failed',
      error: { code: 'worker_died', message, param: null },
    });
    expect((await events(job.id)).at(-1)).toMatchObject({ level: 'error', message });
    await registry.files.remove(TENANT, file);
    expect(await end()).toBe('done');
  });

  it('that was killed may have needed more memory', async () => {
    const { end, job, registry } = await waitingJob();
    await end({ container: { exitCode: 137, reason: 'OutOfMemoryError: Container killed' } });
    expect((await registry.jobs.get(TENANT, job.id)).error?.message).toBe(
      'the machine gave up on this job: Essential container in task exited; OutOfMemoryError: Container killed; exit code 137; the data may need more memory than the machine has',
    );
  });

  it('has failed without a reason, too, as when it never had a machine', async () => {
    const { end, job, registry } = await waitingJob();
    await end({ statusReason: undefined, container: undefined });
    expect((await registry.jobs.get(TENANT, job.id)).error?.message).toBe(
      'the machine gave up on this job: no reason given',
    );
  });

  it('is left alone if another worker has it, which shows when a dead one would have lost it', async () => {
    const { end, job, connect, registry } = await waitingJob();
    const handle = await connect().registry.jobs.take(TENANT, job.id, 'another');
    await expect(end()).rejects.toMatchObject({ code: 'job_busy' });
    expect(await end({}, LATER)).toBe('left');
    expect((await registry.jobs.get(TENANT, job.id)).error).toBeNull();
    if (typeof handle === 'string') throw new Error(handle);
    await handle.release();
  });

  it('is announced again if its machines were taken away', async () => {
    const { end, job, registry, queue } = await waitingJob();
    await queue.receive({ max: 10, waitSeconds: 0 });
    expect(await end({ statusReason: 'Host EC2 (instance i-0) terminated.' })).toBe('announced');
    const messages = await queue.receive({ max: 10, waitSeconds: 0 });
    expect(messages.map(({ body }) => body)).toEqual([{ tenant: TENANT, jobId: job.id }]);
    expect(await registry.jobs.get(TENANT, job.id)).toMatchObject({
      status: 'validating_files',
      attempts: 0,
    });
  });

  it.each([
    ['cancelled', 'cancelled'],
    ['paused', 'paused'],
  ] as const)('that was to be %s is %s', async (status, ending) => {
    const { end, job, connect, registry } = await waitingJob();
    const handle = await connect().registry.jobs.take(TENANT, job.id, 'dies');
    if (typeof handle === 'string') throw new Error(handle);
    await handle.validated();
    await handle.saveState('a state');
    await registry.jobs[status === 'paused' ? 'pause' : 'cancel'](TENANT, job.id);
    await handle.release();
    expect(await end()).toBe(ending);
    expect((await registry.jobs.get(TENANT, job.id)).status).toBe(status);
  });

  it('is free for the next attempt when the store fails in the middle', async () => {
    const { end, job, deps } = await waitingJob();
    const { registry, ...rest } = deps(SOON);
    const take: Registry['jobs']['take'] = async (...asked) => {
      const handle = await registry.jobs.take(...asked);
      if (typeof handle === 'string') throw new Error(handle);
      handle.event = () => Promise.reject(new StorageError('unavailable', 'the store is down'));
      return handle;
    };
    const failing = { ...rest, registry: { ...registry, jobs: { take } as Registry['jobs'] } };
    await expect(endFailedJob(failureOf(job.id), failing)).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(await end()).toBe('failed');
  });

  it('has to be one of ours', async () => {
    const { deps } = await waitingJob();
    await expect(endFailedJob({ time: TIME, detail: {} }, deps(SOON))).rejects.toMatchObject({
      code: 'bad_event',
      message: expect.stringContaining('detail.parameters'),
    });
    const unknown = failureOf('ftjob-unknown');
    expect(await endFailedJob(unknown, deps(SOON))).toBe('done');
  });
});

describe('a sweep by the clock', () => {
  it('happens once if the clock strikes twice', async () => {
    const { deps } = await waitingJob();
    expect(await sweepStore(deps(SOON))).toMatchObject({ tenants: 1 });
    expect(await sweepStore(deps(SOON))).toBeUndefined();
  });

  it('ends before the function does', async () => {
    const { deps } = await waitingJob();
    const report = await sweepStore(deps(SOON), { maxMs: 0 });
    expect(report).toMatchObject({ tenants: 1, complete: false });
  });
});

describe.each(['failed-job', 'sweep'])('the function %s', (name) => {
  it('is small, holds nothing native, and says what it lacks', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'polyprompt-function-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const outfile = join(folder, 'index.mjs');
    const { metafile } = await build({
      entryPoints: [join(import.meta.dirname, `${name}.ts`)],
      outfile,
      bundle: true,
      minify: true,
      platform: 'node',
      format: 'esm',
      banner: {
        js: "import{createRequire as __r}from'node:module';const require=__r(import.meta.url);",
      },
      metafile: true,
      logLevel: 'silent',
    });
    const inputs = Object.keys(metafile.inputs).filter((path) =>
      /onnxruntime|tokenizers/.test(path),
    );
    expect(inputs).toEqual([]);
    expect(Object.values(metafile.outputs)[0]!.bytes).toBeLessThan(3_000_000);
    const script = join(folder, 'call.mjs');
    writeFileSync(
      script,
      "try { (await import('./index.mjs')).handler({}); } catch (error) { console.log(error.message); }",
    );
    const { stdout } = spawnSync(process.execPath, [script], { encoding: 'utf8', env: {} });
    expect(stdout).toBe('POLYPROMPT_BUCKET is not set\n');
  });
});
