/**
 * The reparameterisation of P-Tuning v2: a prompt computed from an embedding by a small network.
 * It is a graph of its own: what it computes is fed to the training graph as any prompt is, and the
 * gradient that comes back there is carried on to the network here.
 */
import {
  add,
  Graph,
  gradients,
  matmul,
  mul,
  type Outputs,
  reduceSum,
  reshape,
  tanh,
  transpose,
  type Value,
} from '@polyprompt/autodiff';
import type { BackboneSpec } from '../config.ts';
import { GRADIENT } from './training.ts';

export interface ReparameterisationOptions {
  readonly method: 'prefix' | 'soft';
  /** In virtual tokens. */
  readonly length: number;
  /** Width of the hidden layer. */
  readonly width: number;
}

export interface ReparameterisationGraph {
  /** The prompt, [1, layers, 2, heads, P, headDim] or [1, P, hidden]. */
  readonly prompt: Value;
  /** `grad:<parameter>` of every parameter, given `prompt_gradient`. */
  readonly gradients: Outputs;
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

/**
 * Inputs: `prompt_embedding` [P,hidden], `prompt_down.weight` [hidden,width], `prompt_down.bias`
 * [width], `prompt_up.weight` [width,out], `prompt_up.bias` [out] (out = 2*layers*hidden for a
 * prefix, in the order layer, key or value, head), and for the gradients `prompt_gradient`, of the
 * prompt's shape.
 */
export function reparameterisationGraph(
  spec: BackboneSpec,
  { method, length, width }: ReparameterisationOptions,
): ReparameterisationGraph {
  const { layers, heads, headDim, hidden } = spec;
  const out = method === 'prefix' ? 2 * layers * hidden : hidden;
  const graph = new Graph();
  const parameters: Value[] = [];
  const parameter = (name: string, shape: readonly number[]) => {
    const value = graph.input(`prompt_${name}`, 'float32', shape);
    parameters.push(value);
    return value;
  };
  const embedding = parameter('embedding', [length, hidden]);
  const dense = (name: string, x: Value, shape: readonly [number, number]) =>
    add(matmul(x, parameter(`${name}.weight`, shape)), parameter(`${name}.bias`, [shape[1]]));
  const flat = dense('up', tanh(dense('down', embedding, [hidden, width])), [width, out]);
  const prompt =
    method === 'soft'
      ? reshape(flat, [1, length, hidden])
      : reshape(transpose(reshape(flat, [length, layers, 2, heads, headDim]), [1, 2, 3, 0, 4]), [
          1,
          layers,
          2,
          heads,
          length,
          headDim,
        ]);
  const given = graph.input('prompt_gradient', 'float32', prompt.shape);
  const own = gradients(reduceSum(mul(prompt, given)), parameters);
  return {
    prompt,
    gradients: Object.fromEntries(parameters.map(({ name }, i) => [GRADIENT + name, own[i]!])),
    parameters: parameters.map(({ name, shape }) => ({ name, shape: shape as number[] })),
  };
}
