/** Rows by index, and adding rows back by index. */
import { type Dim, showShape } from '../dim.ts';
import { GraphError } from '../errors.ts';
import { apply, type Operator, type Value } from '../graph.ts';
import { cast, equal } from './elementwise.ts';
import { unsqueeze, zerosLike } from './shape.ts';

const Gather: Operator = {
  type: 'Gather',
  infer: ([data, indices]) => {
    if (indices!.dtype !== 'int64' && indices!.dtype !== 'int32') {
      throw new GraphError('dtype_mismatch', `Gather: indices must be integers: ${indices}`);
    }
    return [{ dtype: data!.dtype, shape: [...indices!.shape, ...data!.shape.slice(1)] }];
  },
  vjp: ({ inputs: [data, indices] }, [dy]) => [
    apply(ScatterAdd, [zerosLike(data!), unsqueeze(indices!, [indices!.rank]), dy!], {
      reduction: 'add',
    }),
    null,
  ],
};

const ScatterAdd: Operator = {
  type: 'ScatterND',
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
