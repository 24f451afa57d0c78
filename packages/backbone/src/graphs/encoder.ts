/**
 * The transformer itself, for all three families: post-LN encoders (XLM-R, BERT) and the pre-LN
 * causal decoder (XGLM), each attending to [prefix ; tokens] with the prefix given per layer as
 * keys and values (P-Tuning v2; PAPERS 1.2).
 */
import {
  add,
  cast,
  concat,
  type Dim,
  div,
  exp,
  type Graph,
  gather,
  gelu,
  greater,
  layerNorm,
  matmul,
  mul,
  reduceMax,
  reshape,
  slice,
  softmax,
  sub,
  transpose,
  unsqueeze,
  type Value,
} from '@polyprompt/autodiff';
import type { BackboneSpec } from '../config.ts';
import { sinusoids } from './positions.ts';
import type { Weights } from './weights.ts';

/** Added to the scores of positions that must not be seen; exp() of it is exactly 0 in float32. */
const UNSEEN = -1e9;

/** XGLM's table starts at this index: positions 0 and 1 are reserved (fairseq heritage). */
const XGLM_OFFSET = 2;

/** Keys and values in front of a layer's own, each [B, heads, P, headDim]. */
export interface LayerPrefix {
  readonly key: Value;
  readonly value: Value;
}

export interface EncoderInputs {
  /** [B, S] int64. */
  readonly ids: Value;
  /** [B, T] int64, T = S or, with a soft prompt, P+S. */
  readonly positions: Value;
  /** [B, T] int64; families without token types pass null. */
  readonly types: Value | null;
  /** Additive attention mask over the keys, from `attentionBias`. */
  readonly bias: Value;
  readonly prefix: ((layer: number) => LayerPrefix) | null;
  /** [B, P, hidden] in front of the token embeddings, or null. */
  readonly softPrompt: Value | null;
  /**
   * One-hot [B, T]: the only state of each row that is read. The last layer then computes this one
   * alone (its keys and values need all), and `states` is [B, 1, hidden].
   */
  readonly onlyRow?: Value;
  /**
   * Whether a row's states are bit for bit the same in any batch. What pads a row then must not change the order
   * in which its attention is summed, which costs a few per cent; nothing here is differentiated.
   */
  readonly steady?: boolean;
}

export interface EncoderOutputs {
  /** [B, T, hidden] (T = 1 with `onlyRow`), after the final norm where the family has one. */
  readonly states: Value;
  /** Input of the first layer and output of every layer, each [B, T, hidden]. */
  readonly layers: readonly Value[];
}

/**
 * The additive mask [B, 1, 1 or T, K]: 0 where a key may be seen, -1e9 where not.
 * @param keyMask [B, T] float32 of 0/1
 * @param prefixMask [B, P] float32 of 0/1, or null without a prefix
 * @param positions for causal families: a token sees tokens at its own or smaller positions
 */
export function attentionBias(
  spec: BackboneSpec,
  keyMask: Value,
  prefixMask: Value | null,
  positions: Value,
): Value {
  const hide = (mask: Value) => unsqueeze(mul(sub(1, mask), UNSEEN), [1, 2]);
  let tokens = hide(keyMask);
  if (spec.family === 'xglm') {
    const later = greater(unsqueeze(positions, [1]), unsqueeze(positions, [2]));
    tokens = add(tokens, unsqueeze(mul(cast(later, 'float32'), UNSEEN), [1]));
  }
  if (!prefixMask) return tokens;
  let prefix = hide(prefixMask);
  if (spec.family === 'xglm') {
    // Every query row has the same view of the prefix: widen [B,1,1,P] to [B,1,T,P].
    const column = mul(slice(tokens, 3, 0, 1), 0);
    prefix = add(prefix, column);
  }
  return concat([prefix, tokens], 3);
}

/** Runs the backbone. Dropout is never part of it: the backbone is frozen or a plain baseline. */
export function encode(
  spec: BackboneSpec,
  weights: Weights,
  inputs: EncoderInputs,
): EncoderOutputs {
  const preNorm = spec.family === 'xglm';
  let x = embed(spec, weights, inputs);
  const layers = [x];
  for (let n = 0; n < spec.layers; n++) {
    const norm = (name: 'attention' | 'mlp', value: Value) =>
      layerNorm(
        value,
        weights(`layers.${n}.${name}.norm.weight`),
        weights(`layers.${n}.${name}.norm.bias`),
        spec.layerNormEps,
      );
    const read = n === spec.layers - 1 ? inputs.onlyRow : undefined;
    const seen = preNorm ? norm('attention', x) : x;
    const attended = attention(spec, weights, n, seen, inputs, read);
    x = add(read ? pick(read, x) : x, attended);
    if (preNorm) x = add(x, mlp(weights, n, norm('mlp', x)));
    else {
      x = norm('attention', x);
      x = norm('mlp', add(x, mlp(weights, n, x)));
    }
    layers.push(x);
  }
  if (preNorm) {
    x = layerNorm(x, weights('final.norm.weight'), weights('final.norm.bias'), spec.layerNormEps);
  }
  return { states: x, layers };
}

function embed(spec: BackboneSpec, weights: Weights, inputs: EncoderInputs): Value {
  const { ids, positions, types, softPrompt } = inputs;
  let tokens = gather(weights('embeddings.word'), ids);
  if (spec.scaleEmbedding) tokens = mul(tokens, Math.sqrt(spec.hidden));
  const words = softPrompt ? concat([softPrompt, tokens], 1) : tokens;
  if (spec.family === 'xglm') return add(words, gather(sinusoidTable(ids.graph, spec), positions));
  const typeTable = weights('embeddings.type');
  const type = types ? gather(typeTable, types) : slice(typeTable, 0, 0, 1);
  const sum = add(add(words, type), gather(weights('embeddings.position'), positions));
  return layerNorm(
    sum,
    weights('embeddings.norm.weight'),
    weights('embeddings.norm.bias'),
    spec.layerNormEps,
  );
}

function sinusoidTable(graph: Graph, spec: BackboneSpec): Value {
  const shape = [spec.maxPositions, spec.hidden];
  return graph.constant(sinusoids(spec.maxPositions, spec.hidden, XGLM_OFFSET), 'float32', shape);
}

function attention(
  spec: BackboneSpec,
  weights: Weights,
  layer: number,
  x: Value,
  { bias, prefix, steady = false }: EncoderInputs,
  onlyRow?: Value,
): Value {
  const project = (name: 'query' | 'key' | 'value', from: Value) => {
    const flat = linear(weights, `layers.${layer}.attention.${name}`, from);
    const [batch, length] = from.shape as [Dim, Dim];
    return transpose(reshape(flat, [batch, length, spec.heads, spec.headDim]), [0, 2, 1, 3]);
  };
  const asking = onlyRow ? pick(onlyRow, x) : x;
  const [batch, length] = asking.shape as [Dim, Dim];
  const query = project('query', asking);
  let key = project('key', x);
  let value = project('value', x);
  if (prefix) {
    const own = prefix(layer);
    key = concat([own.key, key], 2);
    value = concat([own.value, value], 2);
  }
  const scores = matmul(query, key, { transB: true, alpha: 1 / Math.sqrt(spec.headDim) });
  // A bias with a row per query (causal families) is cut to the one that asks.
  const hidden = onlyRow && bias.shape[2] !== 1 ? pick(unsqueeze(onlyRow, [1]), bias) : bias;
  const seen = add(scores, hidden);
  const context = steady ? weighSteadily(seen, value, bias) : matmul(softmax(seen), value);
  const merged = reshape(transpose(context, [0, 2, 1, 3]), [batch, length, spec.hidden]);
  return linear(weights, `layers.${layer}.attention.output`, merged);
}

/**
 * softmax(scores) value. Softmax adds up the lanes of a vector register, and which lane a key falls in depends on the
 * padding in front of it; a product adds in the order of the keys, where those that are hidden add an exact zero.
 * (Not any product: by a plain column ONNX Runtime multiplies lane by lane as well, hence a row and `transB`.)
 */
function weighSteadily(scores: Value, value: Value, bias: Value): Value {
  const weights = exp(sub(scores, reduceMax(scores, [-1], { keepdims: true })));
  const ones = add(mul(slice(bias, 2, 0, 1), 0), 1);
  return div(matmul(weights, value), matmul(weights, ones, { transB: true }));
}

/** The row of x [..., T, n] that the one-hot [..., T] names, as [..., 1, n]. */
function pick(onlyRow: Value, x: Value): Value {
  return matmul(unsqueeze(onlyRow, [onlyRow.rank - 1]), x);
}

function mlp(weights: Weights, layer: number, x: Value): Value {
  const up = gelu(linear(weights, `layers.${layer}.mlp.up`, x));
  return linear(weights, `layers.${layer}.mlp.down`, up);
}

type LinearName =
  | `layers.${number}.attention.${'query' | 'key' | 'value' | 'output'}`
  | `layers.${number}.mlp.${'up' | 'down'}`
  | 'pooler';

/** y = x W^T + b with W [out, in] as stored. */
export function linear(weights: Weights, name: LinearName, x: Value): Value {
  return add(weights.product(`${name}.weight`, x), weights(`${name}.bias`));
}
