/**
 * Matrix products. All of them are ONNX Runtime's FusedMatMul, which takes transposes and a scale
 * as attributes, so neither the forward nor the backward graph stores a transposed operand.
 */
import { broadcast, type Dim, showShape } from '../dim.ts';
import { GraphError } from '../errors.ts';
import { type Attributes, apply, type Operator, requireSameDtype, type Value } from '../graph.ts';
import { sumToShape } from './reduce.ts';
import { flatten } from './shape.ts';

export interface MatmulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** The product is multiplied by this. */
  readonly alpha?: number;
}

function settings(attributes: Attributes): Required<MatmulOptions> {
  return {
    transA: attributes.transA === 1,
    transB: attributes.transB === 1,
    alpha: (attributes.alpha as { float: number }).float,
  };
}

const FusedMatMul: Operator = {
  type: 'FusedMatMul',
  domain: 'com.microsoft',
  infer: ([a, b], attributes) => {
    const dtype = requireSameDtype('MatMul', [a!, b!]);
    const { transA, transB } = settings(attributes);
    if (a!.rank < 2 || b!.rank < 2) {
      throw new GraphError('shape_mismatch', `MatMul: ${a} and ${b} must have two axes or more`);
    }
    const [rows, innerA] = lastTwo(a!, transA);
    const [innerB, columns] = lastTwo(b!, transB);
    if (innerA !== innerB) {
      throw new GraphError(
        'shape_mismatch',
        `MatMul: ${showShape(a!.shape)}${transA ? ' transposed' : ''} x ` +
          `${showShape(b!.shape)}${transB ? ' transposed' : ''}: inner dimensions ` +
          `${innerA} and ${innerB} differ`,
      );
    }
    const batch = broadcast(a!.shape.slice(0, -2), b!.shape.slice(0, -2), 'MatMul');
    return [{ dtype, shape: [...batch, rows, columns] }];
  },
  // With y = s op(A) op(B): d op(A) = s dy op(B)^T and d op(B) = s op(A)^T dy; where an operand was
  // transposed, the transposed product is written down instead of transposing the result.
  vjp: ({ inputs: [a, b], attributes }, [dy], needs) => {
    const { transA, transB, alpha } = settings(attributes);
    let da: Value | null = null;
    let db: Value | null = null;
    if (needs(0)) {
      da = transA
        ? matmul(b!, dy!, { transA: transB, transB: true, alpha })
        : matmul(dy!, b!, { transB: !transB, alpha });
      da = sumToShape(da, a!.shape);
    }
    if (needs(1)) {
      // A matrix shared by a batch: one product over all rows, not one per batch entry and a sum.
      const shared = b!.rank === 2 && a!.rank > 2 && !transA;
      const rows = shared ? flatten(a!, 0, a!.rank - 2) : a!;
      const drows = shared ? flatten(dy!, 0, dy!.rank - 2) : dy!;
      db = transB
        ? matmul(drows, rows, { transA: true, transB: transA, alpha })
        : matmul(rows, drows, { transA: !transA, alpha });
      db = sumToShape(db, b!.shape);
    }
    return [da, db];
  },
};

function lastTwo(x: Value, transposed: boolean): [Dim, Dim] {
  const [rows, columns] = [x.shape.at(-2)!, x.shape.at(-1)!];
  return transposed ? [columns, rows] : [rows, columns];
}

/** `alpha * op(a) @ op(b)` over the last two axes, leading axes broadcast. */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  return apply(FusedMatMul, [a, b], {
    transA: options.transA ? 1 : 0,
    transB: options.transB ? 1 : 0,
    alpha: { float: options.alpha ?? 1 },
  });
}
