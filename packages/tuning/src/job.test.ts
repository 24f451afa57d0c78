/** Whole runs on tiny backbones: they learn, repeat to the byte, survive interruption, and agree with serving. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBackbone, Predictor } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { readPrompt } from '@polyprompt/prompts';
import { decodeSafetensors, writeSafetensors } from '@polyprompt/safetensors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tuneInWorker } from './in-worker.ts';
import { CHECKPOINT_FILE, runJob } from './job.ts';
import type { TuningEvent } from './loop.ts';
import type { JobHooks, TuningJob } from './plan.ts';
import { TUNED_BACKBONE } from './publish.ts';

const WORDS = ['rain', 'snow', 'wind', 'sun', 'bread', 'soup', 'rice', 'cake', 'the', 'is', 'a'];
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-tuning-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const backbone = join(folder, 'backbone');
let files: { train: string; dev: string };

function sentences(count: number, shift: number): string {
  return Array.from({ length: count }, (_, i) => {
    const food = i % 2;
    const word = WORDS[food * 4 + ((Math.floor(i / 2) + shift) % 4)];
    const text = i % 3 === 0 ? `the ${word} is a ${word}` : `a ${word} is the ${word} the ${word}`;
    return JSON.stringify({
      text: `${text} ${'a '.repeat(i % 5)}`.trim(),
      label: food ? 'food' : 'weather',
    });
  }).join('\n');
}

beforeAll(() => {
  writeTinyBackbone(backbone, { family: 'roberta', words: WORDS, hidden: 16, layers: 2, std: 0.2 });
  files = { train: join(folder, 'train.jsonl'), dev: join(folder, 'dev.jsonl') };
  writeFileSync(files.train, sentences(48, 0));
  writeFileSync(files.dev, sentences(12, 1));
});

const settings = {
  task: 'text-classification' as const,
  length: 3,
  learningRate: 0.05,
  epochs: 6,
  batchSize: 8,
  patience: 0,
};

let runs = 0;
function job(more: Partial<TuningJob> = {}): TuningJob {
  return {
    backbone,
    ...files,
    out: join(folder, `out${runs++}`),
    settings,
    device: 'cpu',
    ...more,
  };
}

const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const promptHash = (out: string) => hash(join(out, 'prompt.safetensors'));

async function eventsOf(of: TuningJob, hooks: JobHooks = {}): Promise<TuningEvent[]> {
  const events: TuningEvent[] = [];
  await runJob(of, { ...hooks, onEvent: (event) => events.push(event) });
  return events;
}

it('says that nothing is left to train on', async () => {
  const train = join(folder, 'one.jsonl');
  writeFileSync(train, JSON.stringify({ tokens: ['the', 'rain'], tags: ['O', 'B-SKY'] }));
  const one = job({ train, settings: { ...settings, task: 'token-classification' } });
  await expect(runJob({ ...one, dev: train })).resolves.toMatchObject({ steps: 6 });
  const { dev: _, ...alone } = one;
  await expect(runJob({ ...alone, out: join(folder, 'alone') })).rejects.toMatchObject({
    code: 'bad_data',
    message: expect.stringContaining('1 example, which is held out to choose the best version by'),
  });
});

describe('a tuning job', () => {
  it('learns, keeps the best version, and leaves the backbone as it was', async () => {
    const before = hash(join(backbone, 'model.safetensors'));
    const one = job();
    const result = await runJob(one);
    expect(result.best.metric).toBeGreaterThan(0.9);
    expect(result.card.metrics.dev?.overall.accuracy).toBe(result.best.metric);
    expect(result.card.parameters).toBe(2 * 2 * 16 * 3 + 16 * 2 + 2);
    expect(hash(join(backbone, 'model.safetensors'))).toBe(before);
    expect(existsSync(join(one.out, CHECKPOINT_FILE))).toBe(false);
  });

  it('gives the same bytes for the same data and seed, and others for another seed', async () => {
    const [a, b, c] = [job(), job(), job({ settings: { ...settings, seed: 2 } })];
    for (const each of [a, b, c]) await runJob(each);
    expect(promptHash(a.out)).toBe(promptHash(b.out));
    expect(promptHash(a.out)).not.toBe(promptHash(c.out));
  });

  it('continues an interrupted run to the same bytes', async () => {
    const whole = job();
    const expected = (await eventsOf(whole)).filter(({ type }) => type === 'evaluated');
    const broken = job({ resume: true });
    const seen: TuningEvent[] = [];
    for (const stopAt of [4, 9, 17, 30]) {
      let step = 0;
      const stopped = runJob(broken, {
        onEvent: (event) => {
          seen.push(event);
          step = 'step' in event ? event.step : step;
        },
        shouldStop: () => step >= stopAt,
      });
      await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    }
    seen.push(...(await eventsOf(broken)));
    expect(promptHash(broken.out)).toBe(promptHash(whole.out));
    expect(seen.filter(({ type }) => type === 'evaluated')).toEqual(expected);
  });

  it('refuses the checkpoint of another run and names what differs', async () => {
    const one = job({ resume: true });
    const hooks = { shouldStop: stopAfter(2) };
    await expect(runJob(one, hooks)).rejects.toMatchObject({ code: 'interrupted' });
    const other = { ...one, settings: { ...settings, seed: 9 } };
    await expect(runJob(other)).rejects.toThrow(/belongs to another run: settings was .*"seed":1/);
    const path = join(one.out, CHECKPOINT_FILE);
    const { tensors, metadata } = decodeSafetensors(readFileSync(path), path);
    for (const key of ['runs', 'seconds', 'identity']) {
      writeSafetensors(path, tensors, { ...metadata, [key]: '[{}]' });
      await expect(runJob(one)).rejects.toMatchObject({ code: 'bad_checkpoint' });
    }
    writeFileSync(path, 'garbage');
    await expect(runJob(one)).rejects.toMatchObject({ code: 'bad_checkpoint' });
  });

  it('computes the same with batches in one piece and in many', async () => {
    const pieces = { ...settings, epochs: 1, dropout: 0.2, headDropout: 0.2 };
    const losses = async (tokenBudget: number) =>
      (await eventsOf(job({ settings: { ...pieces, tokenBudget } }))).flatMap((event) =>
        event.type === 'step' ? [event.loss, event.gradientNorm] : [],
      );
    const [whole, cut] = [await losses(4096), await losses(16)];
    expect(cut).toHaveLength(whole.length);
    cut.forEach((value, i) => {
      expect(value).toBeCloseTo(whole[i]!, 5);
    });
  });

  for (const method of ['prefix', 'soft', 'full', 'head'] as const) {
    it(`serves with ${method} what it measured in training`, async () => {
      const one = job({ settings: { ...settings, method, learningRate: 0.01 } });
      const { best } = await runJob(one);
      const served = openBackbone(method === 'full' ? join(one.out, TUNED_BACKBONE) : backbone);
      const identity = { name: served.name, fingerprint: await served.fingerprint() };
      const { prompt } = readPrompt(one.out, { backbone: identity });
      const predictor = new Predictor(served, { device: 'cpu' });
      const rows = readFileSync(files.dev, 'utf8')
        .split('\n')
        .map((line) => JSON.parse(line) as { text: string; label: string });
      let loss = 0;
      for (const { text, label } of rows) {
        const { ids } = await served.tokenizer().encode(text);
        const [logits] = await predictor.predict([{ ids, prompt }]);
        const scores = [...logits!.pooled];
        const total = Math.log(scores.reduce((sum, x) => sum + Math.exp(x), 0));
        loss += total - scores[prompt.labels.indexOf(label)]!;
      }
      expect(loss / rows.length).toBeCloseTo(best.loss, 4);
      await predictor.release();
    });
  }

  it('trains and scores on as many examples as asked, drawn by the seed', async () => {
    const few = { ...settings, examples: 10, devExamples: 4, epochs: 1 };
    const { card } = await runJob(job({ settings: few }));
    expect(card.training.examples).toEqual({ train: 10, dev: 4 });
  });

  it('counts examples, however many windows they are', async () => {
    const context = 'the rain is a snow '.repeat(12).trim();
    const answers = [{ text: 'rain', answer_start: 4 }];
    const rows = Array.from({ length: 6 }, (_, i) => ({
      question: `is ${WORDS[i]}`,
      context: `${context} ${WORDS[i]}`,
      answers,
    }));
    const train = join(folder, 'questions.jsonl');
    writeFileSync(train, rows.map((row) => JSON.stringify(row)).join('\n'));
    const long = { task: 'question-answering', length: 2, epochs: 1, maxTokens: 32 } as const;
    const { card } = await runJob(job({ train, dev: train, settings: long }));
    expect(card.training.examples).toEqual({ train: 6, dev: 6 });
  });

  it('works for every family', async () => {
    for (const family of ['bert', 'xglm'] as const) {
      const dir = join(folder, family);
      writeTinyBackbone(dir, { family, words: WORDS, hidden: 16, layers: 2, std: 0.2 });
      const { best } = await runJob(job({ backbone: dir }));
      expect(best.metric).toBeGreaterThan(0.9);
    }
  });

  it('holds out a tenth where there is no dev file', async () => {
    const { dev, ...rest } = job();
    const result = await runJob(rest);
    expect(dev).toBeDefined();
    expect(result.card.training.examples).toEqual({ train: 43, dev: 5 });
  });

  it('stops early when nothing gets better', async () => {
    const still = { ...settings, epochs: 50, patience: 2, learningRate: 1e-9 };
    const result = await runJob(job({ settings: { ...still, select: 'metric' } }));
    expect(result.steps).toBeLessThan(50 * 6);
  });
});

describe('tuneInWorker', () => {
  it('reports events, and stops with a checkpoint when aborted', async () => {
    const one = job({ resume: true });
    const controller = new AbortController();
    const steps: number[] = [];
    const stopped = tuneInWorker(one, {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'step') steps.push(event.step);
        if (steps.length === 3) controller.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ name: 'TuningError', code: 'interrupted' });
    expect(existsSync(join(one.out, CHECKPOINT_FILE))).toBe(true);
    const result = await tuneInWorker(one);
    expect(result.steps).toBe(36);
  });

  it('hands errors over with their names and codes', async () => {
    await expect(tuneInWorker(job({ backbone: join(folder, 'nowhere') }))).rejects.toMatchObject({
      name: 'BackboneError',
      code: 'not_a_model_folder',
    });
    await expect(tuneInWorker(job({ train: join(folder, 'none.jsonl') }))).rejects.toMatchObject({
      name: 'TuningError',
      code: 'bad_data',
    });
  });
});

function stopAfter(steps: number): () => boolean {
  let asked = 0;
  return () => asked++ >= steps;
}
