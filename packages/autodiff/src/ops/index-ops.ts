/** Rows by index, and adding rows back by index. */
import { type Dim, elementCount, type Shape, showShape } from '../dim.ts';
import { GraphError } from '../errors.ts';
import { apply, type Operator, type Value } from '../graph.ts';
import { cast, equal } from './elementwise.ts';
import { expandLike, flatten, reshape, unsqueeze, zerosLike } from './shape.ts';

const Gather: Operator = {
  type: 'Gather',
  infer: ([data, indices]) => {
    if (indices!.dtype !== 'int64' && indices!.dtype !== 'int32') {
      throw new GraphError('dtype_mismatch', `Gather: indices must be integers: ${indices}`);
    }
    return [{ dtype: data!.dtype, shape: [...indices!.shape, ...data!.shape.slice(1)] }];
  },
  vjp: ({ inputs: [data, indices] }, [dy]) => {
    const columns = data!.shape.slice(1);
    const flat = reshape(indices!, [elementCount(indices!.shape), ...columns.map(() => 1)]);
    const updates = reshapeRows(dy!, indices!.rank, columns);
    const grad = apply(ScatterAdd, [zerosLike(data!), expandLike(flat, updates), updates], {
      axis: 0,
      reduction: 'add',
    });
    return [grad, null];
  },
};

function reshapeRows(dy: Value, indexRank: number, columns: Shape): Value {
  if (indexRank === 0) return reshape(dy, [1, ...columns]);
  return indexRank === 1 ? dy : flatten(dy, 0, indexRank - 1);
}

/**
 * Not ScatterND, which needs no expanded indices: on the CPU it adds in parallel and loses updates
 * when an index repeats (onnxruntime 1.30; the test with many repeated rows fails with it).
 */
const ScatterAdd: Operator = {
  type: 'ScatterElements',
  infer: ([data]) => [{ dtype: data!.dtype, shape: data!.shape }],
  vjp: null,
};

/** `data[indices]`: result shape is that of the indices, then the rest of data's. */
export const gather = (data: Value, indices: Value): Value => apply(Gather, [data, indices]);

/** One-hot rows [..., classes] of integer labels; a label outside of 0..classes-1 gives zeros. */
export function oneHot(labels: Value, classes: Dim, dtype: Value['dtype']): Value {
  if (typeof classes !== 'number') {
    throw new GraphError(
      'bad_argument',
      `oneHot: ${showShape([classes])} classes must be a number`,
    );
  }
  const range = labels.graph.constant(
    Array.from({ length: classes }, (_, i) => i),
    labels.dtype,
  );
  return cast(equal(unsqueeze(labels, [labels.rank]), range), dtype);
}
