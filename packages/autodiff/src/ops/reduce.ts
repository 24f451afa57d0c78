/** Sums, means and maxima over axes, and the reduction that undoes broadcasting. */
import { type Dim, normalizeAxis, type Shape, sameShape } from '../dim.ts';
import { type Attributes, apply, type Node, type Operator, type Value } from '../graph.ts';
import { cast, div } from './elementwise.ts';
import { expandLike, reshape, sizeOf, unsqueeze } from './shape.ts';

function reducedShape(shape: Shape, axes: readonly number[], keepdims: boolean): Shape {
  const result: Dim[] = [];
  shape.forEach((dim, i) => {
    if (!axes.includes(i)) result.push(dim);
    else if (keepdims) result.push(1);
  });
  return result;
}

function reduction(type: string, spread: ((node: Node, dy: Value) => Value) | null): Operator {
  return {
    type,
    attributeInputs: ['axes'],
    infer: ([x], attributes) => {
      const { axes, keepdims } = settings(attributes);
      return [{ dtype: x!.dtype, shape: reducedShape(x!.shape, axes, keepdims) }];
    },
    vjp:
      spread &&
      ((node, [dy]) => {
        const { axes, keepdims } = settings(node.attributes);
        return [spread(node, keepdims ? dy! : unsqueeze(dy!, axes))];
      }),
  };
}

function settings(attributes: Attributes): { axes: readonly number[]; keepdims: boolean } {
  return {
    axes: attributes.axes as readonly number[],
    keepdims: attributes.keepdims === 1,
  };
}

const ReduceSum = reduction('ReduceSum', ({ inputs: [x] }, dy) => expandLike(dy, x!));

function reduce(operator: Operator, x: Value, axes: readonly number[], keepdims: boolean): Value {
  const normalized = axes.map((axis) => normalizeAxis(axis, x.rank, operator.type)).sort();
  return apply(operator, [x], { axes: normalized, keepdims: keepdims ? 1 : 0 });
}

/** Sum over `axes` (all of them by default). */
export function reduceSum(
  x: Value,
  axes: readonly number[] = x.shape.map((_, i) => i),
  { keepdims = false } = {},
): Value {
  return reduce(ReduceSum, x, axes, keepdims);
}

const ReduceMean = reduction('ReduceMean', ({ inputs: [x], outputs: [y] }, dy) => {
  const count = div(cast(sizeOf(x!), x!.dtype), cast(sizeOf(y!), x!.dtype));
  return expandLike(div(dy, count), x!);
});

/** Mean over `axes` (all of them by default). */
export function reduceMean(
  x: Value,
  axes: readonly number[] = x.shape.map((_, i) => i),
  { keepdims = false } = {},
): Value {
  return reduce(ReduceMean, x, axes, keepdims);
}

const ReduceMax = reduction('ReduceMax', null);
const ReduceMin = reduction('ReduceMin', null);

/** Largest value along `axes`; has no gradient. */
export function reduceMax(x: Value, axes: readonly number[], { keepdims = false } = {}): Value {
  return reduce(ReduceMax, x, axes, keepdims);
}

/** Smallest value along `axes`; has no gradient. */
export function reduceMin(x: Value, axes: readonly number[], { keepdims = false } = {}): Value {
  return reduce(ReduceMin, x, axes, keepdims);
}

/** Adds up what broadcasting spread, so that the result has exactly `shape`. */
export function sumToShape(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  const axes: number[] = [];
  x.shape.forEach((dim, i) => {
    if (i < lead || (shape[i - lead] === 1 && dim !== 1)) axes.push(i);
  });
  if (axes.length === 0) return x;
  const summed = reduceSum(x, axes, { keepdims: true });
  return lead === 0 ? summed : reshape(summed, shape);
}
