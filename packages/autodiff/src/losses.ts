/** Losses as compositions of operators. */
import type { Value } from './graph.ts';
import { mul, neg } from './ops/elementwise.ts';
import { oneHot } from './ops/index-ops.ts';
import { logSoftmax } from './ops/normalize.ts';
import { reduceSum } from './ops/reduce.ts';

/**
 * Cross-entropy -log softmax(logits)[label] for every row: logits [..., C], labels [...] int64,
 * result [...]. A label outside of 0..C-1 (such as -100) gives 0.
 */
export function crossEntropy(logits: Value, labels: Value): Value {
  const target = oneHot(labels, logits.shape.at(-1)!, logits.dtype);
  return neg(reduceSum(mul(target, logSoftmax(logits)), [-1]));
}
