import type { BackboneSpec } from '@polyprompt/backbone';
import type { Prompt, Tensor } from '@polyprompt/prompts';

export interface TinyPromptOptions {
  readonly seed: number;
  readonly method?: Prompt['method'];
  readonly length?: number;
  readonly classes?: number;
  readonly pooling?: Prompt['pooling'];
}

/** A prompt of arbitrary numbers; different seeds give clearly different answers. */
export function tinyPrompt(
  { layers, heads, headDim, hidden }: BackboneSpec,
  fingerprint: string,
  { seed, method = 'prefix', length = 4, classes = 3, pooling = 'first' }: TinyPromptOptions,
): Prompt {
  let n = seed * 7919;
  const tensor = (...shape: number[]): Tensor => {
    const count = shape.reduce((product, size) => product * size, 1);
    return { shape, data: Float32Array.from({ length: count }, () => Math.sin(n++ * 12.9898)) };
  };
  return {
    task: 'text-classification',
    labels: Array.from({ length: classes }, (_, i) => `label-${i}`),
    method,
    backbone: fingerprint,
    backboneName: 'tiny',
    positions: 'shifted',
    pooling,
    ...(method === 'prefix' ? { prefix: tensor(layers, 2, heads, length, headDim) } : {}),
    ...(method === 'soft' ? { softPrompt: tensor(length, hidden) } : {}),
    headWeight: tensor(hidden, classes),
    headBias: tensor(classes),
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
}
