// Model folders for tests: random weights of any family and shape, with a working tokenizer, in any of
// the forms in which released checkpoints come.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  elementCount,
  float32ToBfloat16,
  float32ToFloat16,
  type TensorData,
  writeSafetensors,
} from '@polyprompt/safetensors';
import type { WeightDtype } from '../checkpoint.ts';
import { type BackboneSpec, type Family, parseConfig } from '../config.ts';
import { type ExpectedTensor, expectedTensors, layoutOf, poolerTensors } from '../names.ts';
import { tinyTokenizer, tinyVocabSize } from './tiny-tokenizer.ts';

export interface TinyBackboneOptions {
  readonly family: Family;
  readonly hidden?: number;
  readonly layers?: number;
  readonly heads?: number;
  readonly intermediate?: number;
  /** At least what the characters and `words` need, which is also the default. */
  readonly vocab?: number;
  readonly maxPositions?: number;
  /** Words that the tokenizer knows as one token each. */
  readonly words?: readonly string[];
  readonly dtype?: WeightDtype;
  readonly seed?: number;
  /** Standard deviation of the weights. */
  readonly std?: number;
  /** Spread over that many files with an index; one file without an index by default. */
  readonly shards?: number;
  /** Encoders only. */
  readonly pooler?: boolean;
  /** In front of the keys; by default as the released checkpoints have it. */
  readonly prefix?: string;
  /** Old spelling of LayerNorm's parameters. */
  readonly gammaBeta?: boolean;
  /** Written into config.json over what the options above give. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Changes the tensors before they are written. */
  readonly edit?: (tensors: Map<string, TensorData>) => void;
}

/** Writes a model folder (the folder is made if needed) and returns what its config says. */
export function writeTinyBackbone(dir: string, options: TinyBackboneOptions): BackboneSpec {
  const { family, words = [], seed = 1, std = 0.05, dtype = 'F32', pooler = false } = options;
  const config = JSON.stringify({ ...tinyConfig(options), ...options.config }, null, 2);
  const spec = parseConfig('config.json', JSON.stringify(tinyConfig(options)));
  const random = gaussian(seed);
  const tensors = new Map<string, TensorData>();
  for (const expected of [...expectedTensors(spec), ...(pooler ? poolerTensors(spec) : [])]) {
    const prefix = options.prefix ?? layoutOf(family).prefixes[0];
    const key = (options.gammaBeta ? expected.keys.at(-1) : expected.keys[0])!;
    const data = Float32Array.from({ length: elementCount(expected.shape) }, () => std * random());
    if (isNormWeight(expected))
      data.forEach((value, i) => {
        data[i] = 1 + value;
      });
    tensors.set(`${prefix}${key}`, encode(dtype, expected.shape, data));
  }
  options.edit?.(tensors);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'config.json'), config);
  writeWeights(dir, [...tensors], options.shards);
  const tokenizer = tinyTokenizer(family, spec.vocabSize, words);
  writeFileSync(join(dir, 'tokenizer.json'), JSON.stringify(tokenizer));
  return spec;
}

function tinyConfig(options: TinyBackboneOptions): Record<string, unknown> {
  const { family, hidden = 16, layers = 2, heads = 2, maxPositions = 66 } = options;
  const { intermediate = 2 * hidden, vocab = tinyVocabSize(family, options.words) } = options;
  const common = { vocab_size: vocab, max_position_embeddings: maxPositions };
  if (family === 'xglm') {
    return {
      ...common,
      model_type: 'xglm',
      d_model: hidden,
      num_layers: layers,
      attention_heads: heads,
      ffn_dim: intermediate,
      activation_function: 'gelu',
      scale_embedding: true,
      pad_token_id: 1,
    };
  }
  const isBert = family === 'bert';
  return {
    ...common,
    model_type: isBert ? 'bert' : 'xlm-roberta',
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: intermediate,
    hidden_act: 'gelu',
    type_vocab_size: isBert ? 2 : 1,
    layer_norm_eps: isBert ? 1e-12 : 1e-5,
    pad_token_id: isBert ? 0 : 1,
    position_embedding_type: 'absolute',
  };
}

function isNormWeight({ name }: ExpectedTensor): boolean {
  return name.endsWith('norm.weight');
}

function encode(dtype: WeightDtype, shape: readonly number[], data: Float32Array): TensorData {
  switch (dtype) {
    case 'F32':
      return { dtype, shape, data };
    case 'F16':
      return { dtype, shape, data: float32ToFloat16(data) };
    case 'BF16':
      return { dtype, shape, data: float32ToBfloat16(data) };
    default:
      return dtype satisfies never;
  }
}

function writeWeights(dir: string, tensors: [string, TensorData][], shards?: number): void {
  const metadata = { format: 'pt' };
  if (shards === undefined) {
    writeSafetensors(join(dir, 'model.safetensors'), tensors, metadata);
    return;
  }
  const weightMap: Record<string, string> = {};
  for (let n = 0; n < shards; n++) {
    const digits = (value: number) => String(value).padStart(5, '0');
    const name = `model-${digits(n + 1)}-of-${digits(shards)}.safetensors`;
    const part = tensors.filter((_, i) => Math.floor((i * shards) / tensors.length) === n);
    for (const [key] of part) weightMap[key] = name;
    writeSafetensors(join(dir, name), part, metadata);
  }
  const index = { metadata: {}, weight_map: weightMap };
  writeFileSync(join(dir, 'model.safetensors.index.json'), JSON.stringify(index));
}

/** Standard normal numbers (Box-Muller over mulberry32), the same for the same seed. */
function gaussian(seed: number): () => number {
  let state = seed | 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
