/**
 * Matrix products over 8-bit integers, for graphs that only infer. The inner sums are exact, and each row has a
 * scale of its own, so what a row amounts to does not depend on the rows beside it.
 */
import { broadcast, sameShape, showShape } from '../dim.ts';
import { GraphError } from '../errors.ts';
import { apply, type Operator, requireSameDtype, type Value, type Vjp } from '../graph.ts';
import { div, mul, neg } from './elementwise.ts';
import { reduceMax, reduceMin } from './reduce.ts';

/** Largest number of steps from zero; -128 stays unused, so that both signs reach equally far. */
const STEPS = 127;
/** The unsigned byte that means zero: kernels want unsigned rows and signed columns. */
const ZERO = 128;
/** Scale of a row of zeros, whatever it is, must not divide by zero. */
const SMALLEST = 1e-30;

const refuse: Vjp = ({ operator }) => {
  throw new GraphError(
    'no_gradient',
    `${operator.type} belongs to a product over 8-bit integers, which has no gradient; build the graph in float32 to differentiate it`,
  );
};

const Max: Operator = {
  type: 'Max',
  infer: (inputs) => [
    {
      dtype: requireSameDtype('Max', inputs),
      shape: inputs.map(({ shape }) => shape).reduce((a, b) => broadcast(a, b, 'Max')),
    },
  ],
  vjp: refuse,
};

const QuantizeLinear: Operator = {
  type: 'QuantizeLinear',
  infer: ([x, , zero]) => [{ dtype: zero!.dtype, shape: x!.shape }],
  vjp: refuse,
};

/** Inputs: a, b, scale of a, scale per column of b, zero point of a. */
export const MatMulIntegerToFloat: Operator = {
  type: 'MatMulIntegerToFloat',
  domain: 'com.microsoft',
  infer: ([a, b, , scale]) => {
    const [inner, columns] = b!.shape;
    if (a!.dtype !== 'uint8' || b!.dtype !== 'int8') {
      throw new GraphError(
        'dtype_mismatch',
        `matmulInt8: rows must be uint8 and the matrix int8: ${a}, ${b}`,
      );
    }
    if (b!.rank !== 2 || a!.shape.at(-1) !== inner || !sameShape(scale!.shape, [columns!])) {
      throw new GraphError(
        'shape_mismatch',
        `matmulInt8: ${showShape(a!.shape)} x ${showShape(b!.shape)} with column scales ` +
          `${showShape(scale!.shape)}: give a matrix [inner, columns] and a scale for each column`,
      );
    }
    return [{ dtype: scale!.dtype, shape: [...a!.shape.slice(0, -1), columns!] }];
  },
  vjp: refuse,
};

/** Rows as bytes: `x = reach / 127 * (bytes - 128)`, to half a step of each row. */
export interface QuantizedRows {
  /** [..., n] uint8 */
  readonly bytes: Value;
  /** [..., 1], the largest magnitude of the row. */
  readonly reach: Value;
}

/** Quantises x [..., n] row by row along its last axis, symmetrically. */
export function quantizeRows(x: Value): QuantizedRows {
  const { graph } = x;
  const along = [[-1], { keepdims: true }] as const;
  const most = reduceMax(x, ...along);
  const least = reduceMin(x, ...along);
  const reach = apply(Max, [most, neg(least), graph.constant(SMALLEST, x.dtype)]);
  const bytes = apply(QuantizeLinear, [
    mul(x, div(STEPS, reach)),
    graph.constant(1, x.dtype),
    graph.constant(ZERO, 'uint8'),
  ]);
  return { bytes, reach };
}

/**
 * Product of quantised rows and a quantised matrix.
 * @param matrix [n, columns] int8
 * @param scale [columns]; the matrix means `scale * matrix`
 */
export function matmulInt8(rows: QuantizedRows, matrix: Value, scale: Value): Value {
  const { graph } = matrix;
  const one = graph.constant(1 / STEPS, scale.dtype);
  const inputs = [rows.bytes, matrix, one, scale, graph.constant(ZERO, 'uint8')];
  return mul(apply(MatMulIntegerToFloat, inputs), rows.reach);
}
