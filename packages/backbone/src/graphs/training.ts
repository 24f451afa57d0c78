/**
 * The training graph: forward, cross-entropy, and the gradients of what is tuned, appended by
 * `gradients`. The backbone's own weights stay frozen references unless everything is tuned.
 */
import {
  add,
  type Dim,
  Graph,
  gather,
  gradients,
  logSoftmax,
  matmul,
  mul,
  neg,
  type Outputs,
  reduceSum,
  repeatLike,
  reshape,
  split,
  sub,
  tanh,
  transpose,
  unsqueeze,
  type Value,
} from '@polyprompt/autodiff';
import type { Checkpoint } from '../checkpoint.ts';
import type { BackboneSpec } from '../config.ts';
import type { CanonicalName } from '../names.ts';
import { attentionBias, encode, type LayerPrefix, linear } from './encoder.ts';
import { pooledStates, tokenInputs } from './serving.ts';
import { frozenWeights, tunedWeights, WEIGHT_INPUT } from './weights.ts';

export type TuningMethod = 'prefix' | 'soft' | 'full' | 'head';

/** Which logits the loss reads: one row of classes per text, per token, or positions per class. */
export type LossKind = 'pooled' | 'tokens' | 'span';

export interface TrainingGraphOptions {
  readonly method: TuningMethod;
  readonly loss: LossKind;
  /** Prompt length P; ignored by `full` and `head`. */
  readonly length: number;
  readonly classes: number;
  /**
   * Whether any number N of prompts may train side by side, each row picking its own by
   * `prompt_index`; without it N is 1, which needs no index and is faster. Not for `full`.
   */
  readonly many?: boolean;
  /** Send the pooled state through the checkpoint's frozen pooler. */
  readonly usePooler: boolean;
  /**
   * With `pooled` losses: every row of `pool_weights` is one-hot, so that the last layer need not
   * compute the other states. `states` is then [B, 1, hidden].
   */
  readonly oneState?: boolean;
}

export interface TrainingGraph {
  /** `row_loss` [B], `logits`, and `grad:<parameter>` for every parameter. */
  readonly outputs: Outputs;
  /** What is tuned, in a fixed order: input name and shape, with 1 for the axis of N. */
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly layers: readonly Value[];
  /** [B, T, hidden], after the final norm where there is one. */
  readonly states: Value;
  /** [B, hidden], what the head reads for pooled logits; null for other losses. */
  readonly pooled: Value | null;
}

/**
 * Inputs: the token inputs of the serving graph; the parameters `prefix` [N,layers,2,heads,P,headDim]
 * or `soft_prompt` [N,P,hidden] or `weight:<canonical name>`, `head_weight` [N,hidden,C] and
 * `head_bias` [N,C]; for `many` `prompt_index` [B] and, with a prefix, `prefix_mask` [N,P];
 * `head_dropout` [B,hidden], the factors on the head's input (1 for none); `target`, the wanted
 * distribution per row, token or span column: [B,C], [B,T,C] or [B,C,T] (an ignored row is all
 * zeros); `loss_weight` [B]. For `span`, `span_mask` [B,T] is 1 where the softmax may look.
 *
 * Row loss: sum over the row's targets of -target log softmax(logits), for `span` divided by its
 * number of columns. Differentiated is the sum of row_loss * loss_weight, so a mean over any count,
 * over several runs too, is the caller's choice of weights.
 */
export function trainingGraph(
  spec: BackboneSpec,
  checkpoint: Checkpoint,
  options: TrainingGraphOptions,
): TrainingGraph {
  const { method, loss, length, classes, many = false } = options;
  const prompts: Dim = many ? 'N' : 1;
  const graph = new Graph();
  const full = method === 'full';
  const weights = full ? tunedWeights(graph, checkpoint) : frozenWeights(graph, checkpoint);
  const tokens = tokenInputs(graph, spec, method === 'soft' ? `S+${length}` : 'S');
  const index = many ? graph.input('prompt_index', 'int64', ['B']) : null;
  /** A stack of one part per prompt [N, ...] as one per row [B, ...]. */
  const toRows = (stack: Value) =>
    index ? gather(stack, index) : repeatLike(reshape(stack, stack.shape.slice(1)), tokens.ids);

  const tuned: Value[] = [];
  const parameter = (name: string, shape: readonly number[]) => {
    const value = graph.input(name, 'float32', [prompts, ...shape]);
    tuned.push(value);
    return value;
  };

  const { layers: depth, heads, headDim, hidden } = spec;
  const prefix =
    method === 'prefix' ? parameter('prefix', [depth, 2, heads, length, headDim]) : null;
  const softPrompt = method === 'soft' ? parameter('soft_prompt', [length, hidden]) : null;
  const headWeight = parameter('head_weight', [hidden, classes]);
  const headBias = parameter('head_bias', [classes]);

  const prefixMask = prefix && toRows(prefixMasks(graph, many, length));
  const onlyRow =
    options.oneState && loss === 'pooled'
      ? graph.input('pool_weights', 'float32', tokens.mask.shape)
      : null;
  const { states, layers } = encode(spec, weights, {
    ...tokens,
    ...(onlyRow ? { onlyRow } : {}),
    bias: attentionBias(spec, tokens.mask, prefixMask, tokens.positions),
    prefix: prefix && layerPrefixes(spec, prefix, toRows),
    softPrompt: softPrompt && toRows(softPrompt),
  });

  const dropout = unsqueeze(graph.input('head_dropout', 'float32', ['B', hidden]), [1]);
  let pooled: Value | null = null;
  if (loss === 'pooled') {
    pooled = onlyRow ? reshape(states, ['B', hidden]) : pooledStates(graph, spec, states);
    if (options.usePooler) pooled = tanh(linear(weights, 'pooler', pooled));
  }
  const read = mul(pooled ? unsqueeze(pooled, [1]) : states, dropout);
  // One head: a plain matrix for all rows. Several: a matrix and a bias per row.
  const weight = index ? gather(headWeight, index) : reshape(headWeight, [hidden, classes]);
  const bias = index ? unsqueeze(gather(headBias, index), [1]) : reshape(headBias, [classes]);
  const scores = add(matmul(read, weight), bias);
  const logits = pooled ? reshape(scores, ['B', classes]) : scores;

  const rowLoss = crossEntropyRows(graph, loss, logits, classes);
  const total = reduceSum(mul(rowLoss, graph.input('loss_weight', 'float32', ['B'])));
  if (full) tuned.push(...graph.values.filter((value) => value.name.startsWith(WEIGHT_INPUT)));

  const outputs: Record<string, Value> = { row_loss: rowLoss, logits };
  gradients(total, tuned).forEach((gradient, i) => {
    outputs[GRADIENT + tuned[i]!.name] = gradient;
  });
  const parameters = tuned.map(({ name, shape }) => ({
    name,
    shape: shape.map((size) => (size === 'N' ? 1 : (size as number))),
  }));
  return { outputs, parameters, layers, states, pooled };
}

/**
 * Cuts a stack of prefixes [N, layers, 2, heads, P, headDim] into each layer's keys and values and
 * lets `toRows` bring a part [N, heads, P, headDim] to the rows of the batch.
 */
function layerPrefixes(
  spec: BackboneSpec,
  prefix: Value,
  toRows: (part: Value) => Value,
): (layer: number) => LayerPrefix {
  const [prompts, layers, , heads, length, headDim] = prefix.shape as [
    Dim,
    number,
    2,
    Dim,
    Dim,
    Dim,
  ];
  const stacked = reshape(prefix, [prompts, 2 * layers, heads, length, headDim]);
  const parts = split(stacked, 1, Array(2 * spec.layers).fill(1)).map((part) =>
    toRows(reshape(part, [prompts, heads, length, headDim])),
  );
  return (layer) => ({ key: parts[2 * layer]!, value: parts[2 * layer + 1]! });
}

/** Prefix of the output names of gradients, in front of the parameter's name. */
export const GRADIENT = 'grad:';

/** [N, P]: which positions of each prompt exist; all of them when there is one prompt. */
function prefixMasks(graph: Graph, many: boolean, length: number): Value {
  if (many) return graph.input('prefix_mask', 'float32', ['N', length]);
  return graph.constant(new Float32Array(length).fill(1), 'float32', [1, length]);
}

function crossEntropyRows(graph: Graph, loss: LossKind, logits: Value, classes: number): Value {
  if (loss === 'span') {
    const columns = transpose(logits, [0, 2, 1]);
    const spanMask = graph.input('span_mask', 'float32', ['B', logits.shape[1]!]);
    const hidden = unsqueeze(mul(sub(1, spanMask), -1e9), [1]);
    const target = graph.input('target', 'float32', columns.shape);
    const logProbability = logSoftmax(add(columns, hidden));
    return mul(neg(reduceSum(mul(target, logProbability), [1, 2])), 1 / classes);
  }
  const target = graph.input('target', 'float32', logits.shape);
  const axes = loss === 'pooled' ? [1] : [1, 2];
  return neg(reduceSum(mul(target, logSoftmax(logits)), axes));
}

/** The tuned weights' canonical names, from the parameters of a `full` graph. */
export function weightName(parameter: string): CanonicalName | null {
  return parameter.startsWith(WEIGHT_INPUT)
    ? (parameter.slice(WEIGHT_INPUT.length) as CanonicalName)
    : null;
}
