/** Model folders and inputs of a given shape, for benches and memory tests. */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TensorData } from '@polyprompt/autodiff';
import {
  type BackboneSpec,
  expectedTensors,
  parseConfig,
  poolWeights,
  tokenBatch,
} from '@polyprompt/backbone';

/** config.json of XLM-R base (Conneau et al. 2020), without the fields that do not matter here. */
export const XLMR_BASE = {
  model_type: 'xlm-roberta',
  vocab_size: 250_002,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 514,
  type_vocab_size: 1,
  layer_norm_eps: 1e-5,
  pad_token_id: 1,
};

/**
 * Writes a model folder with weights of the right shapes. The embeddings are left as a hole in the
 * file (zeros): a look-up costs the same whatever it finds, and 770 MB need not be written.
 */
export function writeShape(dir: string, config: typeof XLMR_BASE): void {
  if (existsSync(join(dir, 'config.json'))) return;
  mkdirSync(dir, { recursive: true });
  const spec = parseConfig('config.json', JSON.stringify(config));
  const header: Record<string, unknown> = {};
  let offset = 0;
  const tensors = expectedTensors(spec).map((tensor) => {
    const count = tensor.shape.reduce((n, size) => n * size, 1);
    const at = offset;
    offset += count * 4;
    header[`roberta.${tensor.keys[0]}`] = {
      dtype: 'F32',
      shape: tensor.shape,
      data_offsets: [at, offset],
    };
    return { ...tensor, count, at };
  });
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(join(dir, 'model.safetensors'), 'w');
  ftruncateSync(file, 8 + json.length + offset);
  writeSync(file, length, 0, 8, 0);
  writeSync(file, json, 0, json.length, 8);
  for (const { name, count, at } of tensors) {
    if (name === 'embeddings.word') continue;
    const norm = name.endsWith('norm.weight');
    const data = Float32Array.from({ length: count }, (_, i) =>
      norm ? 1 : 0.02 * Math.sin(i * 12.9898 + at),
    );
    writeSync(file, new Uint8Array(data.buffer), 0, data.byteLength, 8 + json.length + at);
  }
  closeSync(file);
  // Written last: a folder with a config is complete.
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
}

export function filled(shape: readonly number[], value: number): TensorData {
  return { data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value), shape };
}

export function noise(shape: readonly number[], scale: number): TensorData {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count }, (_, i) => scale * Math.sin(i * 78.233 + 1));
  return { data, shape };
}

/** Feeds of a batch of `batch` full rows of `length` tokens behind a prompt. */
export function denseBatch(
  spec: BackboneSpec,
  batch: number,
  length: number,
  promptLength: number,
): Record<string, TensorData> {
  const ids = Array.from({ length }, (_, i) => 5 + ((i * 37) % (spec.vocabSize - 5)));
  const rows = Array.from({ length: batch }, () => ({
    ids,
    promptLength,
    positions: 'shifted' as const,
    pooling: 'first' as const,
  }));
  return { ...tokenBatch(spec, rows), pool_weights: poolWeights(rows, length) };
}
