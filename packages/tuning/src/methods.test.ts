/** Prompts that are computed, compiled or read by words, on tiny backbones. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backbone, openBackbone, Predictor } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { type Prompt, readPrompt } from '@polyprompt/prompts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runJob } from './job.ts';
import { traitsOf } from './job-settings.ts';
import type { TuningJob } from './plan.ts';
import { Reparameterisation } from './reparameterisation.ts';
import { resolveSettings } from './settings.ts';

const WORDS = ['rain', 'snow', 'wind', 'sun', 'bread', 'soup', 'rice', 'cake', 'the', 'is', 'a'];
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-methods-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const roberta = join(folder, 'roberta');
const xglm = join(folder, 'xglm');
const train = join(folder, 'train.jsonl');
const rows = Array.from({ length: 48 }, (_, i) => {
  const word = WORDS[(i % 2) * 4 + (Math.floor(i / 2) % 4)];
  return { text: `the ${'a '.repeat(i % 4)}${word} is ${word}`, label: i % 2 ? 'food' : 'weather' };
});

beforeAll(() => {
  writeTinyBackbone(roberta, { family: 'roberta', words: WORDS, hidden: 16, layers: 2, std: 0.2 });
  writeTinyBackbone(xglm, { family: 'xglm', words: WORDS, hidden: 16, layers: 2, std: 0.2 });
  writeFileSync(train, rows.map((row) => JSON.stringify(row)).join('\n'));
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
  const out = join(folder, `out${runs++}`);
  return { backbone: roberta, train, dev: train, out, settings, device: 'cpu', ...more };
}

async function servedLoss(backbone: Backbone, prompt: Prompt): Promise<number> {
  const predictor = new Predictor(backbone, { device: 'cpu' });
  let loss = 0;
  for (const { text, label } of rows) {
    const { ids } = await backbone.tokenizer().encode(text);
    const [logits] = await predictor.predict([{ ids, prompt }]);
    const scores = [...logits!.pooled];
    loss += Math.log(scores.reduce((sum, x) => sum + Math.exp(x), 0));
    loss -= scores[prompt.labels.indexOf(label)]!;
  }
  await predictor.release();
  return loss / rows.length;
}

describe('a reparameterised prompt', () => {
  for (const method of ['prefix', 'soft'] as const) {
    it(`learns as ${method} and is published as the prompt alone`, async () => {
      const one = job({
        settings: { ...settings, method, reparameterise: 24, learningRate: 0.02 },
      });
      const { best, card } = await runJob(one);
      expect(best.metric).toBeGreaterThan(0.9);
      const plain = job({ settings: { ...settings, method, epochs: 1 } });
      const { card: other } = await runJob(plain);
      expect(card.parameters).toBe(other.parameters);
      const { prompt } = readPrompt(one.out);
      expect(await servedLoss(openBackbone(roberta), prompt)).toBeCloseTo(best.loss, 4);
    });
  }

  it('continues an interrupted run to the same bytes', async () => {
    const computed = { ...settings, reparameterise: 8 };
    const whole = job({ settings: computed });
    await runJob(whole);
    const broken = job({ settings: computed, resume: true });
    for (const stopAt of [3, 11]) {
      let asked = 0;
      const stopped = runJob(broken, { shouldStop: () => asked++ > stopAt });
      await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    }
    await runJob(broken);
    const hash = ({ out }: TuningJob) =>
      createHash('sha256')
        .update(readFileSync(join(out, 'prompt.safetensors')))
        .digest('hex');
    expect(hash(broken)).toBe(hash(whole));
  });

  it('has the gradients that differences show', async () => {
    const opened = openBackbone(roberta);
    const { spec } = opened;
    const resolved = resolveSettings(
      { ...settings, length: 2, reparameterise: 5, initStd: 0.5 },
      traitsOf(opened),
    );
    const network = await Reparameterisation.create(spec, resolved);
    const size = spec.layers * 2 * spec.hidden * 2;
    const given = Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.3));
    const total = async () =>
      (await network.fold()).reduce((sum, value, i) => sum + value * given[i]!, 0);
    const pulled = await network.pull(given);
    for (const [k, { name, data }] of network.parameters.entries()) {
      for (const i of [0, data.length >> 1, data.length - 1]) {
        const value = data[i]!;
        data[i] = value + 0.01;
        const above = await total();
        data[i] = value - 0.01;
        const below = await total();
        data[i] = value;
        expect(pulled[k]![i]!, `${name}[${i}]`).toBeCloseTo((above - below) / 0.02, 2);
      }
    }
    await network.release();
  });

  it('needs a prompt to compute', async () => {
    const head = job({ settings: { ...settings, method: 'head', reparameterise: 8 } });
    await expect(runJob(head)).rejects.toThrow(/method "head" has none/);
  });
});

describe('a soft prompt of a decoder', () => {
  it('is published as a prefix too, and serves what was measured', async () => {
    const one = job({ backbone: xglm, settings: { ...settings, method: 'soft' } });
    const { best } = await runJob(one);
    const { prompt } = readPrompt(one.out);
    expect(prompt.prefix?.shape).toEqual([2, 2, 2, 3, 8]);
    expect(prompt.softPrompt?.shape).toEqual([3, 16]);
    const { softPrompt, ...compiled } = prompt;
    expect(softPrompt).toBeDefined();
    expect(await servedLoss(openBackbone(xglm), compiled)).toBeCloseTo(best.loss, 4);
  });
});

describe('a verbalizer', () => {
  const verbalizer = { weather: 'sun', food: 'bread' };

  it('trains the prompt alone; the head is the embeddings of the words', async () => {
    const long = { ...settings, verbalizer, epochs: 20, length: 8, learningRate: 0.1 };
    const one = job({ backbone: xglm, settings: long });
    const { best, card } = await runJob(one);
    expect(best.metric).toBeGreaterThan(0.8);
    expect(card.settings.verbalizer).toEqual(verbalizer);
    const { prompt } = readPrompt(one.out);
    const backbone = openBackbone(xglm);
    expect(await servedLoss(backbone, prompt)).toBeCloseTo(best.loss, 4);
    expect([...prompt.headBias.data]).toEqual([0, 0]);
    const again = job({ backbone: xglm, settings: { ...settings, verbalizer, seed: 5 } });
    await runJob(again);
    expect(readPrompt(again.out).prompt.headWeight).toEqual(prompt.headWeight);
  });

  it('means of a word of several tokens', async () => {
    const head = async (word: string) => {
      const words = { weather: word, food: 'bread' };
      const one = job({ backbone: xglm, settings: { ...settings, epochs: 1, verbalizer: words } });
      await runJob(one);
      const { data } = readPrompt(one.out).prompt.headWeight;
      // Labels are sorted: food, weather.
      return Array.from({ length: 16 }, (_, h) => data[2 * h + 1]!);
    };
    const [sun, rice, both] = [await head('sun'), await head('rice'), await head('sun rice')];
    both.forEach((value, h) => {
      expect(value).toBeCloseTo((sun[h]! + rice[h]!) / 2, 5);
    });
  });

  it.each([
    [{ weather: 'sun' }, 'xglm', /"food" has none/],
    [{ ...verbalizer, sport: 'a' }, 'xglm', /"sport" is no label of the data/],
    [{ weather: 'sun', food: 'sun' }, 'xglm', /are the same tokens/],
    [verbalizer, 'roberta', /needs a decoder that predicts words/],
  ])('refuses %j on %s', async (words, family, message) => {
    const backbone = join(folder, family);
    const refused = runJob(job({ backbone, settings: { ...settings, verbalizer: words } }));
    await expect(refused).rejects.toThrow(message);
  });
});
