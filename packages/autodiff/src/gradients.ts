/**
 * Reverse-mode differentiation as a graph transformation: walks the nodes backwards from a scalar
 * and appends each operator's vector-Jacobian product. Only what lies between `wrt` and the loss is
 * touched, so the gradient of a soft prompt never computes a weight gradient.
 */

import { isFloat } from './dtype.ts';
import { GraphError } from './errors.ts';
import type { Node, Value } from './graph.ts';
import { add } from './ops/elementwise.ts';

/**
 * Appends the gradients of the scalar `loss` with respect to each of `wrt`.
 * @throws GraphError `not_connected` when a value has no influence on the loss, `no_gradient` when
 *   an operator on the way has no derivative.
 */
export function gradients(loss: Value, wrt: readonly Value[]): Value[] {
  const { graph } = loss;
  if (loss.rank !== 0) {
    throw new GraphError('shape_mismatch', `gradients: the loss must be a scalar, got ${loss}`);
  }
  const dependent = dependents(graph.nodes, wrt);
  const adjoints = new Map<Value, Value>([[loss, graph.constant(1, loss.dtype)]]);

  // A snapshot: the rules append nodes to the same graph.
  for (const node of [...graph.nodes].reverse()) {
    const grads = node.outputs.map((output) => adjoints.get(output) ?? null);
    if (grads.every((grad) => grad === null)) continue;
    const needed = node.inputs.map((input) => dependent.has(input) && isFloat(input.dtype));
    if (!needed.includes(true)) continue;
    if (!node.operator.vjp) {
      throw new GraphError('no_gradient', `${node.operator.type} has no gradient`);
    }
    const contributions = node.operator.vjp(node, grads, (i) => needed[i] === true);
    node.inputs.forEach((input, i) => {
      const contribution = contributions[i];
      if (!needed[i] || !contribution) return;
      const sum = adjoints.get(input);
      adjoints.set(input, sum ? add(sum, contribution) : contribution);
    });
  }

  return wrt.map((value) => {
    const gradient = adjoints.get(value);
    if (!gradient) {
      throw new GraphError('not_connected', `gradients: the loss does not depend on ${value}`);
    }
    return gradient;
  });
}

function dependents(nodes: readonly Node[], wrt: readonly Value[]): Set<Value> {
  const dependent = new Set<Value>(wrt);
  for (const node of nodes) {
    if (node.inputs.some((input) => dependent.has(input))) {
      for (const output of node.outputs) dependent.add(output);
    }
  }
  return dependent;
}
