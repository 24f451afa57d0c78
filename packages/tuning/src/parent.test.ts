/** Runs that continue from a version. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { readPrompt } from '@polyprompt/prompts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type JobResult, runJob } from './job.ts';
import type { TuningJob } from './plan.ts';

const WORDS = ['rain', 'snow', 'bread', 'soup', 'cat', 'dog', 'the', 'is', 'a'];
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-parent-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const backbone = join(folder, 'roberta');
const parent = join(folder, 'parent');

function data(name: string, labels: readonly string[]): string {
  const rows = Array.from({ length: 36 }, (_, i) => {
    const at = i % labels.length;
    const word = WORDS[2 * at + (Math.floor(i / 3) % 2)];
    return JSON.stringify({ text: `the ${word} ${'a '.repeat(i % 5)}is`, label: labels[at] });
  });
  const path = join(folder, name);
  writeFileSync(path, rows.join('\n'));
  return path;
}

const settings = {
  task: 'text-classification' as const,
  epochs: 6,
  batchSize: 8,
  learningRate: 0.05,
  patience: 0,
};
/** So slow that a run of one epoch leaves its numbers as they were. */
const still = { ...settings, epochs: 1, learningRate: 1e-12, weightDecay: 0 };

let parentBest: JobResult['best'];
let runs = 0;
function job(more: Partial<TuningJob> = {}): TuningJob {
  const train = join(folder, 'two.jsonl');
  const out = join(folder, `out${runs++}`);
  return { backbone, train, dev: train, out, settings, device: 'cpu', ...more };
}

beforeAll(async () => {
  writeTinyBackbone(backbone, { family: 'roberta', words: WORDS, hidden: 16, layers: 2, std: 0.2 });
  data('two.jsonl', ['weather', 'food']);
  data('three.jsonl', ['weather', 'food', 'pets']);
  ({ best: parentBest } = await runJob(job({ out: parent, settings: { ...settings, length: 3 } })));
  expect(parentBest.metric).toBeGreaterThan(0.9);
});

describe('continuing from a version', () => {
  it('starts where that left off and says so in the card', async () => {
    const one = job({ from: { folder: parent }, settings: still });
    const { best, card } = await runJob(one);
    expect(best.metric).toBe(parentBest.metric);
    expect(card.length).toBe(3);
    const { prompt, card: parents } = readPrompt(parent);
    expect(card.lineage.parent).toEqual({ ref: 'parent', hash: parents.hash });
    const continued = readPrompt(one.out).prompt;
    continued.prefix!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(prompt.prefix!.data[i]!, 6);
    });
  });

  it('carries the head over by label, whatever the order, and begins new labels anew', async () => {
    const three = join(folder, 'three.jsonl');
    const one = job({ train: three, dev: three, from: { folder: parent }, settings: still });
    const { card } = await runJob(one);
    expect(card.labels).toEqual(['food', 'pets', 'weather']);
    const old = readPrompt(parent).prompt;
    const { prompt } = readPrompt(one.out);
    const column = (of: typeof prompt, label: string) => {
      const at = of.labels.indexOf(label);
      const weights = of.headWeight.data.filter((_, i) => i % of.labels.length === at);
      return [...weights, of.headBias.data[at]!];
    };
    for (const label of ['food', 'weather']) {
      column(prompt, label).forEach((value, i) => {
        expect(value).toBeCloseTo(column(old, label)[i]!, 6);
      });
    }
    expect(column(prompt, 'pets').some((value) => value !== 0)).toBe(true);
    const learned = job({ train: three, dev: three, from: { folder: parent } });
    expect((await runJob(learned)).best.metric).toBeGreaterThan(0.7);
  });

  it('is another run for a checkpoint, and continues as any', async () => {
    const whole = job({ from: { folder: parent, ref: 'ft:tiny:me:topics:4' } });
    const { card } = await runJob(whole);
    expect(card.lineage.parent?.ref).toBe('ft:tiny:me:topics:4');
    const broken = job({ from: { folder: parent }, resume: true });
    let asked = 0;
    const stopped = runJob(broken, { shouldStop: () => asked++ > 4 });
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    const { from: _, ...anew } = broken;
    const other = runJob({ ...anew, settings: { ...settings, length: 3 } });
    await expect(other).rejects.toThrow(/parent was sha256:.*, is undefined/);
    await runJob(broken);
    const bytes = ({ out }: TuningJob) => readFileSync(join(out, 'prompt.safetensors'));
    expect(bytes(broken).equals(bytes(whole))).toBe(true);
  });

  it.each([
    [{ method: 'soft' as const }, /its method is prefix, the run's is soft/],
    [{ length: 5 }, /its length is 3, the run's is 5/],
    [{ task: 'token-classification' as const }, /its task is text-classification/],
    [{ reparameterise: 8 }, /cannot be turned back/],
  ])('refuses %j', async (more, message) => {
    const refused = runJob(job({ from: { folder: parent }, settings: { ...settings, ...more } }));
    await expect(refused).rejects.toThrow(message);
  });

  it('refuses candidates of another length, and the version of another backbone', async () => {
    const candidates = [{ length: 3 }, { length: 4 }];
    const longer = runJob(job({ from: { folder: parent }, candidates }));
    await expect(longer).rejects.toThrow(/its length is 3, the run's is 4/);
    const dir = join(folder, 'other');
    writeTinyBackbone(dir, { family: 'roberta', words: WORDS, seed: 2 });
    const other = runJob(job({ backbone: dir, from: { folder: parent } }));
    await expect(other).rejects.toMatchObject({ name: 'PromptError', code: 'wrong_backbone' });
  });
});
