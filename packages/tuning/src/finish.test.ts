/** The best version of a run that is broken off, and what the check of the data reports. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { readPrompt } from '@polyprompt/prompts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileCheck } from './file-check.ts';
import { runJob } from './job.ts';
import type { TuningEvent } from './loop.ts';
import type { JobHooks, TuningJob } from './plan.ts';

const WORDS = ['rain', 'snow', 'bread', 'soup', 'the', 'is', 'a'];
const STEPS_PER_EPOCH = 4;
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-finish-'));
const backbone = join(folder, 'backbone');
const train = join(folder, 'train.jsonl');

beforeAll(() => {
  writeTinyBackbone(backbone, { family: 'roberta', words: WORDS, hidden: 16, layers: 2, std: 0.2 });
  writeFileSync(train, lines(36));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function lines(count: number): string {
  const rows = Array.from({ length: count }, (_, i) => ({
    text: `the ${WORDS[i % 4]} ${'a '.repeat(i % 5)}is ${WORDS[i % 4]}`,
    label: i % 4 < 2 ? 'weather' : 'food',
    language: i % 3 === 0 ? 'de' : 'en',
  }));
  return rows.map((row) => JSON.stringify(row)).join('\n');
}

let runs = 0;
function job(more: Partial<TuningJob> = {}): TuningJob {
  const settings = {
    task: 'text-classification' as const,
    length: 2,
    epochs: 5,
    batchSize: 8,
    learningRate: 0.05,
  };
  return { backbone, train, out: join(folder, `out${runs++}`), settings, device: 'cpu', ...more };
}

function stopAfter(steps: number): JobHooks {
  // Asked once before the training, then before every step.
  let asked = -1;
  return { shouldStop: () => asked++ >= steps };
}

async function breakOff(one: TuningJob, steps: number): Promise<void> {
  await expect(runJob(one, stopAfter(steps))).rejects.toMatchObject({ code: 'interrupted' });
}

describe('finishing a broken-off run', () => {
  it('publishes the best version so far, with its score', async () => {
    const one = job({ resume: true });
    const evaluated: TuningEvent[] = [];
    const hooks = stopAfter(2 * STEPS_PER_EPOCH + 1);
    const stopped = runJob(one, {
      ...hooks,
      onEvent: (event) => event.type === 'evaluated' && event.best && evaluated.push(event),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    const result = await runJob({ ...one, finish: true });
    expect(result.best).toMatchObject({ step: (evaluated.at(-1) as { step: number }).step });
    expect(result.steps).toBe(2 * STEPS_PER_EPOCH + 1);
    const { prompt, card } = readPrompt(one.out);
    expect(prompt.training.best).toBe(result.best.step);
    expect(card.metrics.dev?.overall.accuracy).toBe(result.best.metric);
  });

  it('says so where there is no version yet', async () => {
    const early = job({ resume: true });
    await breakOff(early, STEPS_PER_EPOCH - 1);
    await expect(runJob({ ...early, finish: true })).rejects.toMatchObject({ code: 'no_version' });
    const stopped = runJob(job(), { shouldStop: () => true });
    await expect(stopped).rejects.toThrow('stopped before the training began');
    const unbegun = job({ resume: true, finish: true });
    await expect(runJob(unbegun)).rejects.toThrow(/after step 0 there is no version yet/);
  });
});

async function checksOf(one: TuningJob): Promise<readonly FileCheck[]> {
  let files: readonly FileCheck[] = [];
  await runJob(one, {
    onEvent: (event) => {
      if (event.type === 'checked') files = event.files;
    },
  }).catch(() => undefined);
  return files;
}

describe('the check of the data', () => {
  it('reports each file for itself, sound or not', async () => {
    const dev = join(folder, 'dev.jsonl');
    writeFileSync(dev, `${lines(8)}\n{"text":"the rain","label":"sport"}`);
    const bad = join(folder, 'bad.jsonl');
    const rows = readFileSync(train, 'utf8').split('\n');
    rows[4] = '{"text": "rain"';
    rows[9] = '{"text": "", "label": "food"}';
    writeFileSync(bad, rows.join('\n'));
    const [inTrain, inDev] = await checksOf(job({ train: bad, dev }));
    expect(inTrain).toMatchObject({ role: 'train', valid: false, errors: 2, examples: 34 });
    const errors = inTrain!.issues.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ line }) => line)).toEqual([5, 10]);
    expect(inDev).toMatchObject({ role: 'dev', valid: false, examples: 9 });
    expect(inDev!.issues).toContainEqual(
      expect.objectContaining({ code: 'label_only_in_dev', line: 9 }),
    );
    const [sound] = await checksOf(job({ settings: { ...job().settings, epochs: 1 } }));
    expect(sound).toMatchObject({
      valid: true,
      errors: 0,
      examples: 36,
      labels: { food: 18, weather: 18 },
      languages: { de: 12, en: 24 },
    });
  });

  it('lists as many problems as a report holds, and counts the others', async () => {
    const long = join(folder, 'long.jsonl');
    const rows = Array.from({ length: 150 }, (_, i) => ({
      text: `the ${i} ${'a '.repeat(100)}`,
      label: i % 2 ? 'weather' : 'food',
    }));
    writeFileSync(long, rows.map((row) => JSON.stringify(row)).join('\n'));
    const [check] = await checksOf(job({ train: long }));
    expect(check).toMatchObject({ valid: false, errors: 150 });
    expect(check!.issues).toHaveLength(100);
    await expect(runJob(job({ train: long }))).rejects.toThrow(
      /\[too_many_tokens\]\nand 50 more errors$/,
    );
  });

  it('accepts a label whose only example is held out', async () => {
    const rare = join(folder, 'rare.jsonl');
    const rows = Array.from({ length: 12 }, (_, i) => ({ text: `the ${i}`, label: `label ${i}` }));
    writeFileSync(rare, rows.map((row) => JSON.stringify(row)).join('\n'));
    const { settings } = job();
    const { card } = await runJob(job({ train: rare, settings: { ...settings, epochs: 1 } }));
    expect(card.labels).toHaveLength(12);
  });

  it('trains on the languages asked for alone, and names the others where none is left', async () => {
    const of = (languages: string[]) =>
      job({ settings: { ...job().settings, epochs: 1, languages } });
    const { card } = await runJob(of(['de', 'fr']));
    expect(card.training.languages).toEqual(['de']);
    expect(card.training.examples).toEqual({ train: 10, dev: 2 });
    await expect(runJob(of(['fr']))).rejects.toThrow(
      /no example is of the languages fr; those of the training data are de, en/,
    );
  });
});
