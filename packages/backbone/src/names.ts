// Which tensors a backbone has, under one set of canonical names for all families, and what each is
// called in a checkpoint. A table per family, read in both directions: to find the tensors of a
// downloaded folder, and to write a fine-tuned one back under the names it came with.

import type { BackboneSpec, Family } from './config.ts';

type Part = 'weight' | 'bias';

/** Canonical tensor names. Linear weights are `[out, in]`, as stored: y = x @ weight.T + bias. */
export type CanonicalName =
  | 'embeddings.word'
  | 'embeddings.position'
  | 'embeddings.type'
  | `embeddings.norm.${Part}`
  | `layers.${number}.attention.${'query' | 'key' | 'value' | 'output' | 'norm'}.${Part}`
  | `layers.${number}.mlp.${'up' | 'down' | 'norm'}.${Part}`
  | `final.norm.${Part}`
  | `pooler.${Part}`;

export interface ExpectedTensor {
  readonly name: CanonicalName;
  readonly shape: readonly number[];
  /** Keys in a checkpoint, without the model's prefix, the preferred spelling first. */
  readonly keys: readonly string[];
}

type Size = 'hidden' | 'intermediate' | 'vocabSize' | 'maxPositions' | 'typeVocabSize';

// Kind, canonical name, name in the checkpoint, and for tables and linear layers the [rows, columns].
type Row =
  | readonly [kind: 'table' | 'linear', name: string, original: string, rows: Size, columns: Size]
  | readonly [kind: 'norm', name: string, original: string];

const ENCODER_TOP: readonly Row[] = [
  ['table', 'embeddings.word', 'embeddings.word_embeddings', 'vocabSize', 'hidden'],
  ['table', 'embeddings.position', 'embeddings.position_embeddings', 'maxPositions', 'hidden'],
  ['table', 'embeddings.type', 'embeddings.token_type_embeddings', 'typeVocabSize', 'hidden'],
  ['norm', 'embeddings.norm', 'embeddings.LayerNorm'],
];

const ENCODER_LAYER: readonly Row[] = [
  ['linear', 'attention.query', 'attention.self.query', 'hidden', 'hidden'],
  ['linear', 'attention.key', 'attention.self.key', 'hidden', 'hidden'],
  ['linear', 'attention.value', 'attention.self.value', 'hidden', 'hidden'],
  ['linear', 'attention.output', 'attention.output.dense', 'hidden', 'hidden'],
  ['norm', 'attention.norm', 'attention.output.LayerNorm'],
  ['linear', 'mlp.up', 'intermediate.dense', 'intermediate', 'hidden'],
  ['linear', 'mlp.down', 'output.dense', 'hidden', 'intermediate'],
  ['norm', 'mlp.norm', 'output.LayerNorm'],
];

const ENCODER_POOLER: readonly Row[] = [['linear', 'pooler', 'pooler.dense', 'hidden', 'hidden']];

const XGLM_LAYER: readonly Row[] = [
  ['norm', 'attention.norm', 'self_attn_layer_norm'],
  ['linear', 'attention.query', 'self_attn.q_proj', 'hidden', 'hidden'],
  ['linear', 'attention.key', 'self_attn.k_proj', 'hidden', 'hidden'],
  ['linear', 'attention.value', 'self_attn.v_proj', 'hidden', 'hidden'],
  ['linear', 'attention.output', 'self_attn.out_proj', 'hidden', 'hidden'],
  ['norm', 'mlp.norm', 'final_layer_norm'],
  ['linear', 'mlp.up', 'fc1', 'intermediate', 'hidden'],
  ['linear', 'mlp.down', 'fc2', 'hidden', 'intermediate'],
];

interface Layout {
  /** In front of every key, depending on which class saved the file; the usual one first. */
  readonly prefixes: readonly string[];
  readonly before: readonly Row[];
  readonly layerPrefix: string;
  readonly layer: readonly Row[];
  readonly after: readonly Row[];
  readonly pooler: readonly Row[];
  /** Whole keys under which a file may keep the word embeddings because an output layer shares them. */
  readonly tied: readonly string[];
  /** Present (or tied) exactly if the checkpoint can predict words. */
  readonly lmHead: string;
}

const LAYOUTS: Readonly<Record<Family, Layout>> = {
  roberta: {
    prefixes: ['roberta.', '', 'xlm_roberta.', 'model.'],
    before: ENCODER_TOP,
    layerPrefix: 'encoder.layer',
    layer: ENCODER_LAYER,
    after: [],
    pooler: ENCODER_POOLER,
    tied: ['lm_head.decoder.weight'],
    lmHead: 'lm_head.dense.weight',
  },
  bert: {
    prefixes: ['bert.', '', 'model.'],
    before: ENCODER_TOP,
    layerPrefix: 'encoder.layer',
    layer: ENCODER_LAYER,
    after: [],
    pooler: ENCODER_POOLER,
    tied: ['cls.predictions.decoder.weight'],
    lmHead: 'cls.predictions.transform.dense.weight',
  },
  xglm: {
    prefixes: ['model.', ''],
    before: [['table', 'embeddings.word', 'embed_tokens', 'vocabSize', 'hidden']],
    layerPrefix: 'layers',
    layer: XGLM_LAYER,
    after: [['norm', 'final.norm', 'layer_norm']],
    pooler: [],
    tied: ['lm_head.weight'],
    lmHead: 'lm_head.weight',
  },
};

export function layoutOf(family: Family): Pick<Layout, 'prefixes' | 'tied' | 'lmHead'> {
  return LAYOUTS[family];
}

/** The tensors that a checkpoint of this shape must have, without the pooler, in order of use. */
export function expectedTensors(spec: BackboneSpec): ExpectedTensor[] {
  const { before, layerPrefix, layer, after } = LAYOUTS[spec.family];
  const expected = before.flatMap((row) => expand(spec, row));
  for (let n = 0; n < spec.layers; n++) {
    for (const row of layer)
      expected.push(...expand(spec, row, `layers.${n}.`, `${layerPrefix}.${n}.`));
  }
  return [...expected, ...after.flatMap((row) => expand(spec, row))];
}

/** The checkpoint's own pooler (encoders only): both tensors are present or none. */
export function poolerTensors(spec: BackboneSpec): ExpectedTensor[] {
  return LAYOUTS[spec.family].pooler.flatMap((row) => expand(spec, row));
}

function expand(spec: BackboneSpec, row: Row, namePrefix = '', keyPrefix = ''): ExpectedTensor[] {
  const [kind] = row;
  const name = namePrefix + row[1];
  const key = keyPrefix + row[2];
  // The table above spells out exactly the names of CanonicalName; a test compares them.
  const tensor = (suffix: string, shape: number[], ...parts: string[]): ExpectedTensor => ({
    name: `${name}${suffix}` as CanonicalName,
    shape,
    keys: parts.map((part) => `${key}.${part}`),
  });
  switch (kind) {
    case 'table':
      return [tensor('', [spec[row[3]], spec[row[4]]], 'weight')];
    case 'linear':
      return [
        tensor('.weight', [spec[row[3]], spec[row[4]]], 'weight'),
        tensor('.bias', [spec[row[3]]], 'bias'),
      ];
    case 'norm':
      // TensorFlow's spelling survives in the first released BERT files.
      return [
        tensor('.weight', [spec.hidden], 'weight', 'gamma'),
        tensor('.bias', [spec.hidden], 'bias', 'beta'),
      ];
    default:
      return kind satisfies never;
  }
}
