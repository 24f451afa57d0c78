import { describe, expect, it } from 'vitest';
import { type Family, parseConfig } from './config.ts';
import { type CanonicalName, expectedTensors, poolerTensors } from './names.ts';

const config = (family: Family) => ({
  ...{ model_type: family, vocab_size: 9, max_position_embeddings: 7, type_vocab_size: 2 },
  ...{ hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 8 },
  ...{ d_model: 4, num_layers: 1, attention_heads: 1, ffn_dim: 8 },
});
const specOf = (family: Family) => parseConfig('config.json', JSON.stringify(config(family)));

const LAYER: [CanonicalName, string][] = [
  ['layers.0.attention.query.weight', '4,4'],
  ['layers.0.attention.query.bias', '4'],
  ['layers.0.attention.key.weight', '4,4'],
  ['layers.0.attention.key.bias', '4'],
  ['layers.0.attention.value.weight', '4,4'],
  ['layers.0.attention.value.bias', '4'],
  ['layers.0.attention.output.weight', '4,4'],
  ['layers.0.attention.output.bias', '4'],
  ['layers.0.attention.norm.weight', '4'],
  ['layers.0.attention.norm.bias', '4'],
  ['layers.0.mlp.up.weight', '8,4'],
  ['layers.0.mlp.up.bias', '8'],
  ['layers.0.mlp.down.weight', '4,8'],
  ['layers.0.mlp.down.bias', '4'],
  ['layers.0.mlp.norm.weight', '4'],
  ['layers.0.mlp.norm.bias', '4'],
];
const ENCODER: [CanonicalName, string][] = [
  ['embeddings.word', '9,4'],
  ['embeddings.position', '7,4'],
  ['embeddings.type', '2,4'],
  ['embeddings.norm.weight', '4'],
  ['embeddings.norm.bias', '4'],
  ...LAYER,
];
const XGLM: [CanonicalName, string][] = [
  ['embeddings.word', '9,4'],
  ...LAYER,
  ['final.norm.weight', '4'],
  ['final.norm.bias', '4'],
];

describe('expectedTensors', () => {
  it.each<[Family, [CanonicalName, string][]]>([
    ['roberta', ENCODER],
    ['bert', ENCODER],
    ['xglm', XGLM],
  ])('lists the canonical names of %s with their shapes', (family, expected) => {
    const found = expectedTensors(specOf(family)).map(({ name, shape }) => [name, String(shape)]);
    expect(found.sort()).toEqual(expected.toSorted());
  });

  it('has a pooler for encoders only', () => {
    const names = (family: Family) => poolerTensors(specOf(family)).map(({ name }) => name);
    expect(names('bert')).toEqual(['pooler.weight', 'pooler.bias']);
    expect(names('xglm')).toEqual([]);
  });

  it('gives every tensor keys of its own', () => {
    for (const family of ['roberta', 'bert', 'xglm'] as const) {
      const keys = expectedTensors(specOf(family)).flatMap((tensor) => tensor.keys);
      expect(new Set(keys).size).toBe(keys.length);
    }
  });
});
