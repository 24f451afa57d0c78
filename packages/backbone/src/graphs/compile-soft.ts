/**
 * A soft prompt of a causal decoder as the prefix that it amounts to. The prompt stands in front of
 * every text and sees nothing behind itself, so its keys and values in every layer are the same for
 * all texts: computed once, they replace it exactly, and serving pays nothing for it.
 */
import {
  compile,
  concat,
  Graph,
  layerNorm,
  reshape,
  slice,
  transpose,
  type Value,
} from '@polyprompt/autodiff';
import { BackboneError } from '../errors.ts';
import type { Backbone } from '../open.ts';
import { tokenBatch } from './batch.ts';
import { attentionBias, encode, linear } from './encoder.ts';
import { tokenInputs } from './serving.ts';
import { frozenWeights, weightFolder } from './weights.ts';

interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * @param soft [P, hidden]
 * @returns the prefix, [layers, 2, heads, P, headDim]; texts behind it take the `shifted` positions
 * @throws BackboneError `bad_option` for an encoder, whose prompt also sees the text
 */
export async function compileSoftPrompt(backbone: Backbone, soft: Tensor): Promise<Tensor> {
  const { spec, checkpoint, name } = backbone;
  if (spec.family !== 'xglm') {
    throw new BackboneError(
      'bad_option',
      `${name} is an encoder: its soft prompts see the text and cannot become a prefix; serve ` +
        'the soft prompt itself',
    );
  }
  const { layers: depth, heads, headDim, hidden } = spec;
  const length = soft.shape[0]!;
  const graph = new Graph();
  const weights = frozenWeights(graph, checkpoint);
  // One token has to follow the prompt for the graph to have one at all; nothing of it is read.
  const tokens = tokenInputs(graph, spec, `S+${length}`);
  const prompt = graph.input('soft_prompt', 'float32', ['B', length, hidden]);
  const { layers } = encode(spec, weights, {
    ...tokens,
    bias: attentionBias(spec, tokens.mask, null, tokens.positions),
    prefix: null,
    softPrompt: prompt,
  });
  const parts: Value[] = [];
  for (let n = 0; n < depth; n++) {
    const normed = layerNorm(
      slice(layers[n]!, 1, 0, length),
      weights(`layers.${n}.attention.norm.weight`),
      weights(`layers.${n}.attention.norm.bias`),
      spec.layerNormEps,
    );
    for (const which of ['key', 'value'] as const) {
      const flat = linear(weights, `layers.${n}.attention.${which}`, normed);
      parts.push(transpose(reshape(flat, ['B', length, heads, headDim]), [0, 2, 1, 3]));
    }
  }
  const program = await compile(
    { prefix: concat(parts, 0) },
    { externalFolder: weightFolder(checkpoint) },
  );
  const row = { ids: [spec.padId], promptLength: length, positions: 'shifted' as const };
  const result = await program.run({
    ...tokenBatch(spec, [row], length),
    soft_prompt: { data: soft.data, shape: [1, length, hidden] },
  });
  await program.release();
  const { data } = result.prefix!;
  return { shape: [depth, 2, heads, length, headDim], data: data as Float32Array };
}
