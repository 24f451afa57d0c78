/** Jobs that try several settings in one run, through the real store, queue and registry. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JobResult, runJob } from '@polyprompt/tuning';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readJobSettings, traitsOf } from './settings.ts';
import { dataLines, testBackbone } from './testing/backbone.ts';
import { fastClock, PROMPT, startService, TENANT } from './testing/service.ts';

const { models, folder, backbone } = testBackbone();
const workDir = mkdtempSync(join(tmpdir(), 'polyprompt-tuner-work-'));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

const DATA = dataLines(48);
const EPOCHS = 30;
const HYPERPARAMETERS = { n_epochs: EPOCHS, batch_size: 4 };
/** Of which the first is too slow to be the best. */
const CANDIDATES = { learning_rate: [1e-6, 2e-2], length: [2, 4] };
const SETTINGS = { early_stopping: 0, candidates: CANDIDATES };
const NAMES = [
  'lr=0.000001 length=2',
  'lr=0.000001 length=4',
  'lr=0.02 length=2',
  'lr=0.02 length=4',
];

/** What the training loop alone makes of the same. */
let alone: JobResult & { readonly hash: string };
beforeAll(async () => {
  const out = mkdtempSync(join(workDir, 'alone-'));
  const train = join(out, 'train.jsonl');
  writeFileSync(train, DATA.join('\n'));
  const asked = { seed: 1, hyperparameters: HYPERPARAMETERS, settings: SETTINGS };
  const { settings, candidates } = readJobSettings(asked, traitsOf(backbone));
  const here = { device: 'cpu', threads: 1 } as const;
  const result = await runJob({ backbone: folder, train, out, settings, candidates, ...here });
  const bytes = readFileSync(join(out, 'prompt.safetensors'));
  alone = { ...result, hash: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
  rmSync(out, { recursive: true });
});

const service = () => startService({ models, workDir, clock: fastClock(10) });
const job = { hyperparameters: HYPERPARAMETERS, settings: SETTINGS };

describe('a job with candidates', { timeout: 60_000 }, () => {
  it('publishes the best, and tells what all of them came to', async () => {
    const { upload, create, startTuner, ended, events, registry } = await service();
    const { id } = await create(await upload(DATA), job);
    startTuner();
    const done = await ended(id);
    expect(done).toMatchObject({
      status: 'succeeded',
      result: { version: 1, hash: alone.hash },
      trainedTokens: alone.tokens,
    });
    const { card } = await registry.prompts.version(TENANT, PROMPT, 1);
    expect(card.candidates).toEqual(alone.card.candidates);
    const published = card.candidates!.find((each) => each.published)!;
    expect(published.settings.learningRate).toBe(2e-2);

    const log = await events(id);
    const started = log.find(({ message }) => message.startsWith('Training started'))!;
    expect(started.message).toMatch(/, 4 candidates side by side\.$/);
    expect(started.data).toEqual({ candidates: NAMES });
    const evaluated = log.filter(({ data }) => data?.valid_loss !== undefined);
    for (const name of NAMES) {
      const own = evaluated.filter(({ data }) => data?.candidate === name);
      expect(own).toHaveLength(EPOCHS);
      expect(own[0]!.message).toContain(` of ${name}: validation loss=`);
    }
    // The best so far is that of all.
    const best = evaluated.filter(({ data }) => data?.best).map(({ data }) => data!);
    const metrics = best.map(({ accuracy }) => accuracy as number);
    expect(metrics).toEqual(metrics.toSorted((a, b) => a - b));
    expect(best.at(-1)).toMatchObject({ step: alone.best.step, accuracy: alone.best.metric });

    const summary = log.find(
      ({ data }) => Array.isArray(data?.candidates) && data !== started.data,
    )!;
    expect(summary.message).toMatch(/^The best of 4 candidates is lr=0\.02 length=\d: accuracy=/);
    const told = summary.data!.candidates as { candidate: string; published: boolean }[];
    expect(told.map(({ candidate }) => candidate)).toEqual(NAMES);
    expect(told).toMatchObject(
      card.candidates!.map(({ best, published }) => ({
        published,
        best: { step: best!.step, valid_loss: best!.loss, accuracy: best!.metric },
      })),
    );
    // One checkpoint per step, and none that was not the best.
    const steps = done.checkpoints.map(({ step }) => step);
    expect(new Set(steps).size).toBe(steps.length);
    expect(steps).toEqual([...new Set(best.map(({ step }) => step))]);
  });

  it('says which epochs and batches the best had', async () => {
    const { upload, create, startTuner, ended } = await service();
    const settings = { ...SETTINGS, length: 2, candidates: { n_epochs: [1, 6], lr: [2e-2] } };
    const { id } = await create(await upload(DATA), { ...job, settings });
    startTuner();
    expect(await ended(id)).toMatchObject({
      status: 'succeeded',
      hyperparameters: { n_epochs: 6, batch_size: 4, learning_rate_multiplier: 1 },
    });
  });

  it('goes on elsewhere to the same bytes, after a shutdown and a pause', async () => {
    const { upload, create, startTuner, ended, until, registry } = await service();
    const { id } = await create(await upload(DATA), job);
    const first = startTuner();
    await until(id, ({ checkpoints }) => checkpoints.length >= 1);
    await first.stop();
    expect(readdirSync(workDir)).toEqual([]);
    expect((await registry.jobs.get(TENANT, id)).saved).not.toBeNull();
    startTuner();
    await until(id, ({ status }) => status === 'running');
    await registry.jobs.pause(TENANT, id);
    await until(id, ({ status }) => status === 'paused');
    await registry.jobs.resume(TENANT, id);
    expect(await ended(id)).toMatchObject({
      status: 'succeeded',
      result: { version: 1, hash: alone.hash },
    });
    const { card } = await registry.prompts.version(TENANT, PROMPT, 1);
    expect(card.candidates).toEqual(alone.card.candidates);
  });

  it('keeps the best of all so far when it is cancelled', async () => {
    const { upload, create, startTuner, ended, until, registry } = await service();
    const { id } = await create(await upload(DATA), {
      ...job,
      hyperparameters: { n_epochs: 50, batch_size: 2 },
    });
    startTuner();
    await until(id, ({ checkpoints }) => checkpoints.length >= 2);
    await registry.jobs.cancel(TENANT, id);
    expect(await ended(id)).toMatchObject({ status: 'cancelled', result: { version: 1 } });
    const { card } = await registry.prompts.version(TENANT, PROMPT, 1);
    expect(card.candidates!.filter(({ published }) => published)).toHaveLength(1);
  });

  it('whose settings are refused after all fails by their field', async () => {
    const { upload, create, startTuner, ended } = await service();
    const settings = { candidates: { warmup: [0.1, 2] } };
    const { id } = await create(await upload(DATA), { ...job, settings });
    startTuner();
    expect(await ended(id)).toMatchObject({
      status: 'failed',
      error: { code: 'invalid_settings', param: 'prompt.candidates' },
    });
  });
});
