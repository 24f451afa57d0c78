/**
 * The serving graph: one batch of any mix of prompts, tasks and tenants. Every row brings its own
 * prompt and picks its head by index; prompts of different lengths are padded and masked, heads of
 * different label counts padded.
 */
import {
  add,
  type Dim,
  Graph,
  gather,
  matmul,
  type Outputs,
  reshape,
  tanh,
  unsqueeze,
  type Value,
  where,
} from '@polyprompt/autodiff';
import type { Checkpoint } from '../checkpoint.ts';
import type { BackboneSpec } from '../config.ts';
import { attentionBias, type EncoderInputs, encode, linear } from './encoder.ts';
import { prefixInput } from './row-prefixes.ts';
import { frozenWeights, type Precision, type Weights } from './weights.ts';

/**
 * What the batch's prompts are: key/value prefixes, input-level soft prompts, or heads alone. A
 * prompt without a prefix can also ride in a `prefix` batch, with an empty mask.
 */
export type PromptKind = 'prefix' | 'soft' | 'none';

export interface ServingGraphOptions {
  /** Of the large matrices. @default 'float32' */
  readonly precision?: Precision;
  /**
   * Whether prompts bring a dense layer with tanh of their own in front of their head, as RoBERTa's
   * classification models do.
   */
  readonly dense?: boolean;
}

export interface ServingGraph {
  readonly outputs: Outputs;
  /** Input of the first layer and output of every layer, for whoever studies the states. */
  readonly layers: readonly Value[];
  /** [B, T, hidden], after the final norm where there is one. */
  readonly states: Value;
  /** [B, hidden], what the head reads for pooled logits. */
  readonly pooled: Value;
}

/**
 * Inputs: `input_ids` [B,S], `attention_mask` [B,T] float32, `position_ids` [B,T],
 * `token_type_ids` [B,T] (BERT only), `pool_weights` [B,T], `use_pooler` [B,1] bool (checkpoints with
 * a pooler), `prompt_index` [B], `head_weight` [N,hidden,C], `head_bias` [N,C]; for `prefix`:
 * each layer's `prefixInput` [B,heads,P,headDim] and `prefix_mask` [B,P] float32; for `soft`: `soft_prompt`
 * [N,P,hidden], T = P+S with the prompt's part of a row's mask in `attention_mask`.
 * With `dense`: `dense_weight` [N,hidden,hidden], `dense_bias` [N,hidden].
 * Outputs: `pooled_logits` [B,C], `token_logits` [B,T,C].
 *
 * `pool_weights` generalises the pooled row: one-hot for the first or last token, 1/n for a mean.
 */
export function servingGraph(
  spec: BackboneSpec,
  checkpoint: Checkpoint,
  kind: PromptKind,
  { dense = false, precision = 'float32' }: ServingGraphOptions = {},
): ServingGraph {
  const graph = new Graph();
  const weights = frozenWeights(graph, checkpoint, precision);
  const index = graph.input('prompt_index', 'int64', ['B']);
  const tokens = tokenInputs(graph, spec, kind === 'soft' ? 'P+S' : 'S');
  const { states, layers } = encode(spec, weights, {
    ...tokens,
    ...promptInputs(graph, spec, kind, index, tokens),
    // Rounding to bytes would make steps of the last bits in which batches differ.
    steady: precision === 'int8',
  });

  const headWeight = gather(graph.input('head_weight', 'float32', ['N', spec.hidden, 'C']), index);
  const headBias = unsqueeze(gather(graph.input('head_bias', 'float32', ['N', 'C']), index), [1]);
  const read = pool(graph, spec, weights, states, checkpoint.hasPooler);
  const pooled = dense ? ownDense(graph, spec, index, read) : read;
  const pooledLogits = add(matmul(unsqueeze(pooled, [1]), headWeight), headBias);
  return {
    outputs: {
      pooled_logits: reshape(pooledLogits, ['B', 'C']),
      token_logits: add(matmul(states, headWeight), headBias),
    },
    layers,
    states,
    pooled,
  };
}

type TokenInputs = Pick<EncoderInputs, 'ids' | 'positions' | 'types'> & { readonly mask: Value };

/** @param length of a row of states: with a soft prompt, the prompt's positions count too */
export function tokenInputs(graph: Graph, spec: BackboneSpec, length: Dim): TokenInputs {
  return {
    ids: graph.input('input_ids', 'int64', ['B', 'S']),
    mask: graph.input('attention_mask', 'float32', ['B', length]),
    positions: graph.input('position_ids', 'int64', ['B', length]),
    types: spec.typeVocabSize > 1 ? graph.input('token_type_ids', 'int64', ['B', length]) : null,
  };
}

function promptInputs(
  graph: Graph,
  spec: BackboneSpec,
  kind: PromptKind,
  index: Value,
  { mask, positions }: TokenInputs,
): Pick<EncoderInputs, 'prefix' | 'softPrompt' | 'bias'> {
  if (kind === 'soft') {
    const prompts = graph.input('soft_prompt', 'float32', ['N', 'P', spec.hidden]);
    return {
      bias: attentionBias(spec, mask, null, positions),
      prefix: null,
      softPrompt: gather(prompts, index),
    };
  }
  if (kind === 'none') {
    return { bias: attentionBias(spec, mask, null, positions), prefix: null, softPrompt: null };
  }
  const { layers, heads, headDim } = spec;
  const block = (layer: number, part: 'key' | 'value') =>
    graph.input(prefixInput(layer, part), 'float32', ['B', heads, 'P', headDim]);
  const blocks = Array.from({ length: layers }, (_, layer) => ({
    key: block(layer, 'key'),
    value: block(layer, 'value'),
  }));
  const prefixMask = graph.input('prefix_mask', 'float32', ['B', 'P']);
  return {
    bias: attentionBias(spec, mask, prefixMask, positions),
    prefix: (layer) => blocks[layer]!,
    softPrompt: null,
  };
}

/** [B, hidden]: the states weighed by `pool_weights`, through the frozen pooler where a row asks. */
function pool(
  graph: Graph,
  spec: BackboneSpec,
  weights: Weights,
  states: Value,
  hasPooler: boolean,
): Value {
  const raw = pooledStates(graph, spec, states);
  if (!hasPooler) return raw;
  return where(
    graph.input('use_pooler', 'bool', ['B', 1]),
    tanh(linear(weights, 'pooler', raw)),
    raw,
  );
}

/** [B, hidden]: the pooled states through the dense layer of each row's prompt. */
function ownDense(graph: Graph, { hidden }: BackboneSpec, index: Value, pooled: Value): Value {
  const weight = gather(graph.input('dense_weight', 'float32', ['N', hidden, hidden]), index);
  const bias = gather(graph.input('dense_bias', 'float32', ['N', hidden]), index);
  const product = reshape(matmul(unsqueeze(pooled, [1]), weight), ['B', hidden]);
  return tanh(add(product, bias));
}

export function pooledStates(graph: Graph, spec: BackboneSpec, states: Value): Value {
  const poolWeights = graph.input('pool_weights', 'float32', ['B', states.shape[1]!]);
  return reshape(matmul(unsqueeze(poolWeights, [1]), states), ['B', spec.hidden]);
}
