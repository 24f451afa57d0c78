/** Softmax and layer normalisation over the last axis. */
import { sameShape, showShape } from '../dim.ts';
import { GraphError } from '../errors.ts';
import { apply, type Operator, requireSameDtype, type Value } from '../graph.ts';
import { exp, mul, sub } from './elementwise.ts';
import { reduceMean, reduceSum, sumToShape } from './reduce.ts';

const Softmax: Operator = {
  type: 'Softmax',
  infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  vjp: ({ outputs: [y] }, [dy]) => {
    const product = mul(dy!, y!);
    return [sub(product, mul(y!, reduceSum(product, [-1], { keepdims: true })))];
  },
};

const LogSoftmax: Operator = {
  type: 'LogSoftmax',
  infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  vjp: ({ outputs: [y] }, [dy]) => [
    sub(dy!, mul(exp(y!), reduceSum(dy!, [-1], { keepdims: true }))),
  ],
};

export const softmax = (x: Value): Value => apply(Softmax, [x], { axis: -1 });
export const logSoftmax = (x: Value): Value => apply(LogSoftmax, [x], { axis: -1 });

/** y = (x - mean) / sqrt(var + eps) * scale + bias, with the biased variance (Ba et al. 2016). */
const LayerNormalization: Operator = {
  type: 'LayerNormalization',
  infer: ([x, scale, bias]) => {
    const dtype = requireSameDtype('LayerNormalization', [x!, scale!, bias!]);
    const last = x!.shape.slice(-1);
    if (!sameShape(scale!.shape, last) || !sameShape(bias!.shape, last)) {
      throw new GraphError(
        'shape_mismatch',
        `LayerNormalization: scale ${showShape(scale!.shape)} and bias ${showShape(bias!.shape)} ` +
          `must have the shape ${showShape(last)} of the last axis of ${showShape(x!.shape)}`,
      );
    }
    const row = [...x!.shape.slice(0, -1), 1];
    return [
      { dtype, shape: x!.shape },
      { dtype, shape: row },
      { dtype, shape: row },
    ];
  },
  vjp: (node, [dy, dmean, dinv], needs) => {
    if (dmean || dinv) {
      throw new GraphError('no_gradient', 'LayerNormalization: mean and deviation are not results');
    }
    const [x, scale, bias] = node.inputs;
    const [, mean, inverse] = node.outputs;
    const centred = sub(x!, mean!);
    let dx: Value | null = null;
    if (needs(0)) {
      const g = mul(dy!, scale!);
      const along = mul(
        reduceMean(mul(g, centred), [-1], { keepdims: true }),
        mul(inverse!, inverse!),
      );
      const flat = sub(sub(g, mul(centred, along)), reduceMean(g, [-1], { keepdims: true }));
      dx = mul(flat, inverse!);
    }
    return [
      dx,
      needs(1) ? sumToShape(mul(mul(dy!, centred), inverse!), scale!.shape) : null,
      needs(2) ? sumToShape(dy!, bias!.shape) : null,
    ];
  },
};

export function layerNorm(x: Value, scale: Value, bias: Value, epsilon: number): Value {
  return apply(LayerNormalization, [x, scale, bias], { axis: -1, epsilon: { float: epsilon } });
}
