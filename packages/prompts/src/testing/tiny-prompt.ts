import type { CardDetails } from '../card.ts';
import { type PackedPrompt, packPrompt } from '../folder.ts';
import type { Prompt, Tensor } from '../prompt.ts';

/** Of the backbone. */
export interface TinyPromptShape {
  readonly layers: number;
  readonly heads: number;
  readonly headDim: number;
  readonly hidden: number;
}

export interface TinyPromptOptions {
  readonly seed: number;
  readonly task?: Prompt['task'];
  readonly labels?: readonly string[];
  readonly method?: Prompt['method'];
  readonly length?: number;
  readonly pooling?: Prompt['pooling'];
  readonly backboneName?: string;
  readonly answering?: Prompt['answering'];
}

/** A prompt of arbitrary numbers; different seeds give clearly different answers. */
export function tinyPrompt(
  { layers, heads, headDim, hidden }: TinyPromptShape,
  fingerprint: string,
  {
    seed,
    task = 'text-classification',
    labels = ['food', 'weather', 'music'],
    method = 'prefix',
    length = 4,
    pooling = 'first',
    backboneName = 'tiny',
    answering,
  }: TinyPromptOptions,
): Prompt {
  let n = seed * 7919;
  const tensor = (...shape: number[]): Tensor => {
    const count = shape.reduce((product, size) => product * size, 1);
    return { shape, data: Float32Array.from({ length: count }, () => Math.sin(n++ * 12.9898)) };
  };
  return {
    task,
    labels: [...labels],
    method,
    backbone: fingerprint,
    backboneName,
    positions: 'shifted',
    pooling,
    ...(method === 'prefix' && { prefix: tensor(layers, 2, heads, length, headDim) }),
    ...(method === 'soft' && { softPrompt: tensor(length, hidden) }),
    headWeight: tensor(hidden, labels.length),
    headBias: tensor(labels.length),
    ...(answering && { answering }),
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

/** Of a card that says nothing. */
export const EMPTY_DETAILS: CardDetails = {
  created: '2026-01-01T00:00:00Z',
  data: [],
  settings: {},
  metrics: {},
  lineage: { parent: null },
  versions: {},
  wall_seconds: 0,
  device: 'none',
};

/** The same as files, with a card that says nothing. */
export function packedTinyPrompt(...of: Parameters<typeof tinyPrompt>): PackedPrompt {
  return packPrompt(tinyPrompt(...of), EMPTY_DETAILS);
}
