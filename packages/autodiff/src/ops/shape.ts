/** Operators that move elements without changing them. */
import {
  addDims,
  canonical,
  type Dim,
  elementCount,
  multiplyDims,
  normalizeAxis,
  type Shape,
  sameShape,
  showShape,
} from '../dim.ts';
import { GraphError } from '../errors.ts';
import { type Attributes, apply, type Operator, requireSameDtype, type Value } from '../graph.ts';
import { sumToShape } from './reduce.ts';

const ints = (attributes: Attributes, name: string): readonly number[] =>
  attributes[name] as readonly number[];

const ShapeOf: Operator = {
  type: 'Shape',
  infer: ([x]) => [{ dtype: 'int64', shape: [x!.rank] }],
  vjp: null,
};

const Size: Operator = {
  type: 'Size',
  infer: () => [{ dtype: 'int64', shape: [] }],
  vjp: null,
};

/** The run-time shape as an int64 vector. */
export const shapeOf = (x: Value): Value => apply(ShapeOf, [x]);
/** The run-time element count as an int64 scalar. */
export const sizeOf = (x: Value): Value => apply(Size, [x]);

function requireSameCount(x: Value, shape: Shape): void {
  if (elementCount(x.shape) !== elementCount(shape)) {
    throw new GraphError(
      'shape_mismatch',
      `Reshape: ${showShape(x.shape)} has ${elementCount(x.shape)} elements, ` +
        `${showShape(shape)} has ${elementCount(shape)}`,
    );
  }
}

/**
 * Reshape by a constant: ONNX's 0 copies a dimension from the input, one -1 is computed. `dims`
 * is the result's shape as the builder knows it.
 */
function reshapeTo(dims: Shape): Operator {
  return {
    type: 'Reshape',
    attributeInputs: ['shape'],
    infer: ([x]) => [{ dtype: x!.dtype, shape: dims }],
    vjp: ({ inputs: [x] }, [dy]) => [reshapeLike(dy!, x!)],
  };
}

function reshapeAs(dims: Shape): Operator {
  return {
    ...reshapeTo(dims),
    attributeInputs: [],
    vjp: ({ inputs: [x] }, [dy]) => [reshapeLike(dy!, x!), null],
  };
}

/** Constant target for ONNX, or null when more than one dimension is known at run time only. */
function constantTarget(from: Shape, to: Shape): number[] | null {
  let computed = 0;
  const target = to.map((dim, i) => {
    if (typeof dim === 'number') return dim;
    if (from[i] === dim) return 0;
    computed++;
    return -1;
  });
  // ONNX reads a literal 0 as "copy", so an empty dimension cannot be written as a constant.
  if (computed > 1 || to.includes(0)) return null;
  return target;
}

/** Same elements, other dimensions; at most one of them may be unknown until run time. */
export function reshape(x: Value, shape: Shape): Value {
  const dims = shape.map(canonical);
  requireSameCount(x, dims);
  if (sameShape(x.shape, dims)) return x;
  const target = constantTarget(x.shape, dims);
  if (!target) {
    throw new GraphError(
      'bad_argument',
      `Reshape: ${showShape(x.shape)} to ${showShape(dims)} has more than one dimension that is ` +
        'known at run time only: use reshapeLike',
    );
  }
  return apply(reshapeTo(dims), [x], { shape: target });
}

/** Reshapes `x` to the shape of `like`. */
export function reshapeLike(x: Value, like: Value): Value {
  requireSameCount(x, like.shape);
  if (sameShape(x.shape, like.shape)) return x;
  const target = constantTarget(x.shape, like.shape);
  if (target) return apply(reshapeTo(like.shape), [x], { shape: target });
  return apply(reshapeAs(like.shape), [x, shapeOf(like)]);
}

const Unsqueeze: Operator = {
  type: 'Unsqueeze',
  attributeInputs: ['axes'],
  infer: ([x], attributes) => {
    const axes = ints(attributes, 'axes');
    const shape: Dim[] = [...x!.shape];
    for (const axis of axes) shape.splice(axis, 0, 1);
    return [{ dtype: x!.dtype, shape }];
  },
  vjp: ({ inputs: [x] }, [dy]) => [reshapeLike(dy!, x!)],
};

/** Inserts dimensions of 1; `axes` are ascending positions in the result. */
export function unsqueeze(x: Value, axes: readonly number[]): Value {
  return axes.length === 0 ? x : apply(Unsqueeze, [x], { axes });
}

const Transpose: Operator = {
  type: 'Transpose',
  infer: ([x], attributes) => [
    { dtype: x!.dtype, shape: ints(attributes, 'perm').map((axis) => x!.shape[axis]!) },
  ],
  vjp: (node, [dy]) => {
    const perm = ints(node.attributes, 'perm');
    return [
      transpose(
        dy!,
        perm.map((_, i) => perm.indexOf(i)),
      ),
    ];
  },
};

/** Axis i of the result is axis `perm[i]` of `x`. */
export function transpose(x: Value, perm: readonly number[]): Value {
  if ([...perm].sort((a, b) => a - b).join() !== x.shape.map((_, i) => i).join()) {
    throw new GraphError(
      'bad_argument',
      `Transpose: ${showShape(perm)} is no permutation of the axes of ${showShape(x.shape)}`,
    );
  }
  return apply(Transpose, [x], { perm });
}

const Concat: Operator = {
  type: 'Concat',
  infer: (inputs, attributes) => {
    const axis = attributes.axis as number;
    const [first, ...rest] = inputs;
    let total = first!.shape[axis]!;
    for (const x of rest) {
      if (x.rank !== first!.rank || x.shape.some((d, i) => i !== axis && d !== first!.shape[i])) {
        throw new GraphError(
          'shape_mismatch',
          `Concat: ${inputs.map((v) => showShape(v.shape)).join(' and ')} differ outside of axis ${axis}`,
        );
      }
      total = addDims(total, x.shape[axis]!);
    }
    const shape = first!.shape.map((dim, i) => (i === axis ? total : dim));
    return [{ dtype: requireSameDtype('Concat', inputs), shape }];
  },
  vjp: (node, [dy]) => {
    const axis = node.attributes.axis as number;
    const sizes = node.inputs.map((x) => x.shape[axis]!);
    if (sizes.every((size) => typeof size === 'number')) return split(dy!, axis, sizes as number[]);
    return splitLike(dy!, axis, node.inputs);
  },
};

export function concat(values: readonly Value[], axis: number): Value {
  if (values.length === 1) return values[0]!;
  return apply(Concat, values, { axis: normalizeAxis(axis, values[0]!.rank, 'Concat') });
}

function splitInto(axis: number, sizes: readonly Dim[], constant: boolean): Operator {
  return {
    type: 'Split',
    attributeInputs: constant ? ['split'] : [],
    infer: ([x]) =>
      sizes.map((size) => ({
        dtype: x!.dtype,
        shape: x!.shape.map((dim, i) => (i === axis ? size : dim)),
      })),
    vjp: (node, grads) => {
      const parts = node.outputs.map((part, i) => grads[i] ?? zerosLike(part));
      return [concat(parts, axis), ...node.inputs.slice(1).map(() => null)];
    },
  };
}

/** Cuts `x` along `axis` into pieces of the given sizes, which must add up. */
export function split(x: Value, axis: number, sizes: readonly number[]): readonly Value[] {
  const at = normalizeAxis(axis, x.rank, 'Split');
  const total = sizes.reduce((a, b) => a + b, 0);
  if (x.shape[at] !== total) {
    throw new GraphError(
      'shape_mismatch',
      `Split: sizes ${sizes.join(' + ')} = ${total}, but axis ${at} of ${showShape(x.shape)} is ${x.shape[at]}`,
    );
  }
  return x.graph.apply(splitInto(at, sizes, true), [x], { axis: at, split: sizes }).outputs;
}

/** Undoes a concatenation of `parts` along `axis`, with sizes read from them at run time. */
function splitLike(x: Value, axis: number, parts: readonly Value[]): readonly Value[] {
  const sizes = concat(
    parts.map((part) => slice(shapeOf(part), 0, axis, axis + 1)),
    0,
  );
  const operator = splitInto(
    axis,
    parts.map((part) => part.shape[axis]!),
    false,
  );
  return x.graph.apply(operator, [x, sizes], { axis }).outputs;
}

const Slice: Operator = {
  type: 'Slice',
  attributeInputs: ['starts', 'ends', 'axes'],
  infer: ([x], attributes) => {
    const axis = ints(attributes, 'axes')[0]!;
    const length = ints(attributes, 'ends')[0]! - ints(attributes, 'starts')[0]!;
    return [{ dtype: x!.dtype, shape: x!.shape.map((dim, i) => (i === axis ? length : dim)) }];
  },
  vjp: ({ inputs: [x], attributes }, [dy]) => {
    const axis = ints(attributes, 'axes')[0]!;
    const start = ints(attributes, 'starts')[0]!;
    const end = ints(attributes, 'ends')[0]!;
    const size = x!.shape[axis]!;
    if (typeof size !== 'number') {
      throw new GraphError('no_gradient', `Slice: axis ${axis} of ${x} must be known`);
    }
    const zeros = (length: number) =>
      expandTo(
        x!,
        x!.shape.map((dim, i) => (i === axis ? length : dim)),
        axis,
        length,
      );
    const parts = [dy!];
    if (start > 0) parts.unshift(zeros(start));
    if (end < size) parts.push(zeros(size - end));
    return [concat(parts, axis)];
  },
};

/** Elements `start` (inclusive) to `end` (exclusive) of one axis of known size or prefix. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  const at = normalizeAxis(axis, x.rank, 'Slice');
  const size = x.shape[at]!;
  if (start < 0 || end <= start || (typeof size === 'number' && end > size)) {
    throw new GraphError(
      'bad_argument',
      `Slice: ${start}..${end} is outside of axis ${at} of ${showShape(x.shape)}`,
    );
  }
  return apply(Slice, [x], { starts: [start], ends: [end], axes: [at] });
}

function expandInto(shape: Shape): Operator {
  return {
    type: 'Expand',
    infer: ([x]) => [{ dtype: x!.dtype, shape }],
    vjp: ({ inputs: [x] }, [dy]) => [sumToShape(dy!, x!.shape), null],
  };
}

/** Broadcasts `x` to the shape of `like`. */
export function expandLike(x: Value, like: Value): Value {
  if (sameShape(x.shape, like.shape)) return x;
  return apply(expandInto(like.shape), [x, shapeOf(like)]);
}

/** Repeats `x` along a new first axis that is as long as the first axis of `like`. */
export function repeatLike(x: Value, like: Value): Value {
  const shape = [like.shape[0]!, ...x.shape];
  const lead = slice(shapeOf(like), 0, 0, 1);
  return apply(expandInto(shape), [x, x.rank > 0 ? concat([lead, shapeOf(x)], 0) : lead]);
}

/** Zeros of x's run-time shape, but `length` along `axis`. */
function expandTo(x: Value, shape: Shape, axis: number, length: number): Value {
  const shapes = shapeOf(x);
  const parts: Value[] = [];
  if (axis > 0) parts.push(slice(shapes, 0, 0, axis));
  parts.push(x.graph.constant([length], 'int64'));
  if (axis < x.rank - 1) parts.push(slice(shapes, 0, axis + 1, x.rank));
  return apply(expandInto(shape), [x.graph.constant(0, x.dtype), concat(parts, 0)]);
}

export function zerosLike(x: Value): Value {
  return expandLike(x.graph.constant(0, x.dtype), x);
}

/** Merges neighbouring axes `first..last` into one. */
export function flatten(x: Value, first: number, last: number): Value {
  const merged = x.shape.slice(first, last + 1).reduce(multiplyDims, 1);
  return reshape(x, [...x.shape.slice(0, first), merged, ...x.shape.slice(last + 1)]);
}
