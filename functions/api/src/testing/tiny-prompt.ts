import type { BackboneSpec } from '@polyprompt/backbone';
import { type PackedPrompt, type Prompt, packPrompt, type Tensor } from '@polyprompt/prompts';

export interface TinyPromptOptions {
  readonly seed: number;
  readonly task?: Prompt['task'];
  readonly labels?: readonly string[];
  readonly length?: number;
  readonly backboneName?: string;
}

/** A packed prompt of arbitrary numbers; different seeds give clearly different answers. */
export function tinyPrompt(
  { layers, heads, headDim, hidden }: BackboneSpec,
  fingerprint: string,
  {
    seed,
    task = 'text-classification',
    labels = ['food', 'weather', 'music'],
    length = 4,
    backboneName = 'tiny',
  }: TinyPromptOptions,
): PackedPrompt {
  let n = seed * 7919;
  const tensor = (...shape: number[]): Tensor => {
    const count = shape.reduce((product, size) => product * size, 1);
    return { shape, data: Float32Array.from({ length: count }, () => Math.sin(n++ * 12.9898)) };
  };
  const prompt: Prompt = {
    task,
    labels: [...labels],
    method: 'prefix',
    backbone: fingerprint,
    backboneName,
    positions: 'shifted',
    pooling: 'first',
    prefix: tensor(layers, 2, heads, length, headDim),
    headWeight: tensor(hidden, labels.length),
    headBias: tensor(labels.length),
    training: {
      recipe: 'none',
      seed,
      epochs: 0,
      steps: 0,
      best: 0,
      examples: { train: 0, dev: 0 },
      languages: [],
      metric: 'accuracy',
      score: 0,
    },
  };
  return packPrompt(prompt, {
    created: '2026-01-01T00:00:00Z',
    data: [],
    settings: {},
    metrics: {},
    lineage: { parent: null },
    versions: {},
    wall_seconds: 0,
    device: 'none',
  });
}
