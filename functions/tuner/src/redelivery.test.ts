/** What becomes of a job's message when its receivers die, or the store does not answer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Registry } from '@polyprompt/registry';
import { jobKeys, StorageError } from '@polyprompt/storage';
import { pino } from 'pino';
import { afterAll, describe, expect, it } from 'vitest';
import { dataLines, testBackbone } from './testing/backbone.ts';
import { fastClock, startService, TENANT } from './testing/service.ts';
import { runTuner, type TunerDeps } from './worker.ts';

const { models } = testBackbone();
const workDir = mkdtempSync(join(tmpdir(), 'polyprompt-redelivery-'));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

const DATA = dataLines(48);
const LONG = {
  hyperparameters: { n_epochs: 20, batch_size: 4 },
  settings: { length: 2, early_stopping: 0 },
};
/** Receives after which the queue takes a message for a dead letter. */
const MAX_RECEIVES = 5;
const service = () => startService({ models, workDir, clock: fastClock(20) });
const NONE = { waiting: 0, inFlight: 0, delayed: 0 };

/** Runs a tuner until something has failed. */
async function failOnce(deps: TunerDeps): Promise<void> {
  const stop = new AbortController();
  const log = pino({ level: 'error' }, { write: () => stop.abort() });
  await runTuner({ ...deps, log, signal: stop.signal, pauseMs: 10 });
}

async function expectFree({ jobs }: Pick<Registry, 'jobs'>, id: string): Promise<void> {
  const handle = await jobs.take(TENANT, id, 'another');
  if (typeof handle === 'string') throw new Error(handle);
  expect(handle.job.attempts).toBe(1);
  await handle.release();
}

describe('the message of a job', () => {
  it('is a fresh one before the queue buries it, though the job is at work', async () => {
    const { upload, create, startTuner, until, ended, queue, deadLetters } = await service();
    const { id } = await create(await upload(DATA), LONG);
    // Receivers that die at once.
    for (let i = 1; i < MAX_RECEIVES; i++)
      await queue.receive({ waitSeconds: 0, visibilitySeconds: 0 });
    const first = startTuner();
    await until(id, ({ status }) => status === 'running');
    // Were it the old one, the death of this tuner, too, would bury it.
    expect(await queue.counts()).toMatchObject({ inFlight: 0 });
    await first.stop();
    startTuner();
    expect(await ended(id)).toMatchObject({ status: 'succeeded' });
    await expect.poll(() => queue.counts(), { timeout: 20_000 }).toEqual(NONE);
    expect(await deadLetters.counts()).toEqual(NONE);
  });

  it('survives a store that is down for longer than the queue is patient', async () => {
    const { upload, create, startTuner, connect, ended, queue, deadLetters } = await service();
    const { id } = await create(await upload(DATA), LONG);
    const { registry } = connect();
    let failures = 0;
    const take: Registry['jobs']['take'] = async (...job) => {
      if (failures++ < 2 * MAX_RECEIVES) throw new StorageError('unavailable', 'the store is down');
      return registry.jobs.take(...job);
    };
    startTuner({ registry: { ...registry, jobs: { take } as Registry['jobs'] }, pauseMs: 10 });
    expect(await ended(id)).toMatchObject({ status: 'succeeded' });
    expect(failures).toBeGreaterThan(2 * MAX_RECEIVES);
    await expect.poll(() => queue.counts(), { timeout: 20_000 }).toEqual(NONE);
    expect(await deadLetters.counts()).toEqual(NONE);
  });

  it('leaves its job free for others where the work cannot even begin', async () => {
    const { upload, create, connect, registry } = await service();
    const { id } = await create(await upload(DATA), LONG);
    const noFolder = join(workDir, 'a file');
    writeFileSync(noFolder, '');
    await failOnce(connect({ workDir: noFolder }));
    await expectFree(registry, id);
    rmSync(noFolder);
  });

  it('leaves its job free for others when it cannot be replaced', async () => {
    const { upload, create, connect, queue, registry } = await service();
    const { id } = await create(await upload(DATA), LONG);
    for (let i = 1; i < MAX_RECEIVES; i++)
      await queue.receive({ waitSeconds: 0, visibilitySeconds: 0 });
    const deps = connect();
    const receive = deps.queue.receive.bind(deps.queue);
    const send = () => Promise.reject(new StorageError('unavailable', 'the queue is down'));
    await failOnce({ ...deps, queue: { receive, send } });
    await expectFree(registry, id);
  });

  it('becomes a dead letter when its job cannot even be read', async () => {
    const { upload, create, startTuner, storage, queue, deadLetters } = await service();
    const { id } = await create(await upload(DATA), LONG);
    await storage.blobs.put(jobKeys(TENANT, id).document, 'garbage');
    startTuner({ pauseMs: 10, visibilitySeconds: 10 });
    await expect
      .poll(() => deadLetters.counts(), { timeout: 30_000 })
      .toEqual({ ...NONE, waiting: 1 });
    expect(await queue.counts()).toEqual(NONE);
  });
});
