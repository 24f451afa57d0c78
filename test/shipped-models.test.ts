/** The models that ship: small enough, and the engine computes of them what their trainer did. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openBackbone, Predictor, type PromptTensors } from '@polyprompt/backbone';
import { describe, expect, it } from 'vitest';

const models = join(import.meta.dirname, '../models');

interface Case {
  readonly text: string;
  readonly ids: readonly number[];
  readonly mean: readonly number[];
  /** The first state, or of a causal model the last. */
  readonly one: readonly number[];
}

function referenceOf(name: string): readonly Case[] {
  return JSON.parse(readFileSync(join(models, name, 'reference.json'), 'utf8')).cases;
}

/** A prompt whose "logits" are the pooled states themselves. */
function reader(hidden: number, pooling: PromptTensors['pooling']): PromptTensors {
  const identity = Float32Array.from({ length: hidden * hidden }, (_, i) =>
    Number(i % (hidden + 1) === 0),
  );
  return {
    headWeight: { shape: [hidden, hidden], data: identity },
    headBias: { shape: [hidden], data: new Float32Array(hidden) },
    pooling,
    positions: 'shifted',
  };
}

describe.each([
  { name: 'polyprompt-mini', one: 'first', parameters: 30e6 },
  { name: 'polyprompt-mini-decoder', one: 'last', parameters: 15e6 },
] as const)('models/$name', ({ name, one, parameters }) => {
  const dir = join(models, name);
  const cases = referenceOf(name);

  it('stays within its limits of size', () => {
    const { spec } = openBackbone(dir);
    const weights = statSync(join(dir, 'model.safetensors')).size;
    expect(weights / 2).toBeLessThan(parameters);
    expect(spec.vocabSize).toBe(23_999);
    const bytes = readdirSync(dir).reduce((sum, file) => sum + statSync(join(dir, file)).size, 0);
    expect(bytes).toBeLessThan(45e6);
  });

  it('is tokenised as its training text was', async () => {
    const tokenizer = openBackbone(dir).tokenizer();
    for (const { text, ids } of cases) {
      expect((await tokenizer.encode(text)).ids).toEqual(ids);
    }
  });

  it('has the states that PyTorch computes, late positions included', async () => {
    const backbone = openBackbone(dir);
    const predictor = new Predictor(backbone, { device: 'cpu', threads: 1 });
    const prompts = [reader(backbone.spec.hidden, 'mean'), reader(backbone.spec.hidden, one)];
    const rows = cases.flatMap(({ ids }) => prompts.map((prompt) => ({ ids, prompt })));
    const results = await predictor.predict(rows);
    const wanted = cases.flatMap((each) => [each.mean, each.one]);
    results.forEach(({ pooled }, i) => {
      const worst = Math.max(...wanted[i]!.map((value, n) => Math.abs(value - pooled[n]!)));
      expect(worst).toBeLessThan(1e-3);
    });
    await predictor.release();
  });
});
