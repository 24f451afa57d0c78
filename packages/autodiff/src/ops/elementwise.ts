/** Operators that work element by element, with NumPy broadcasting where there are two inputs. */
import { broadcast } from '../dim.ts';
import { type DType, ONNX_DTYPE } from '../dtype.ts';
import { GraphError } from '../errors.ts';
import { apply, lift, type Operator, requireSameDtype, type Value, type Vjp } from '../graph.ts';
import { sumToShape } from './reduce.ts';

function binary(type: string, vjp: Vjp): Operator {
  return {
    type,
    infer: (inputs) => [
      {
        dtype: requireSameDtype(type, inputs),
        shape: broadcast(inputs[0]!.shape, inputs[1]!.shape, type),
      },
    ],
    vjp,
  };
}

/** A rule for one-input operators: `dx = derivative(x, y) * dy`. */
function unary(type: string, derivative: (x: Value, y: Value, dy: Value) => Value): Operator {
  return {
    type,
    infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    vjp: (node, [dy]) => [derivative(node.inputs[0]!, node.outputs[0]!, dy!)],
  };
}

const Add = binary('Add', ({ inputs: [a, b] }, [dy], needs) => [
  needs(0) ? sumToShape(dy!, a!.shape) : null,
  needs(1) ? sumToShape(dy!, b!.shape) : null,
]);

const Sub = binary('Sub', ({ inputs: [a, b] }, [dy], needs) => [
  needs(0) ? sumToShape(dy!, a!.shape) : null,
  needs(1) ? neg(sumToShape(dy!, b!.shape)) : null,
]);

const Mul = binary('Mul', ({ inputs: [a, b] }, [dy], needs) => [
  needs(0) ? sumToShape(mul(dy!, b!), a!.shape) : null,
  needs(1) ? sumToShape(mul(dy!, a!), b!.shape) : null,
]);

const Div = binary('Div', ({ inputs: [a, b], outputs: [y] }, [dy], needs) => [
  needs(0) ? sumToShape(div(dy!, b!), a!.shape) : null,
  needs(1) ? neg(sumToShape(div(mul(dy!, y!), b!), b!.shape)) : null,
]);

const Neg = unary('Neg', (_x, _y, dy) => neg(dy));
const Exp = unary('Exp', (_x, y, dy) => mul(dy, y));
const Log = unary('Log', (x, _y, dy) => div(dy, x));
const Sqrt = unary('Sqrt', (_x, y, dy) => div(mul(dy, 0.5), y));
const Tanh = unary('Tanh', (_x, y, dy) => mul(dy, sub(1, mul(y, y))));
const Sigmoid = unary('Sigmoid', (_x, y, dy) => mul(dy, mul(y, sub(1, y))));
const Identity = unary('Identity', (_x, _y, dy) => dy);

const Relu = unary('Relu', (x, _y, dy) => where(greater(x, 0), dy, 0));

/** d erf(x)/dx = 2/sqrt(pi) exp(-x^2). */
const Erf = unary('Erf', (x, _y, dy) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))));

/**
 * The exact GELU, x/2 (1 + erf(x/sqrt 2)) (Hendrycks and Gimpel 2016). With u = x/sqrt 2 its
 * derivative is 1/2 (1 + erf(u)) + u exp(-u^2) / sqrt(pi).
 */
const Gelu = unary('Gelu', (x, _y, dy) => {
  const u = mul(x, Math.SQRT1_2);
  const density = mul(exp(neg(mul(u, u))), mul(u, 2 / Math.sqrt(Math.PI)));
  return mul(mul(dy, 0.5), add(add(erf(u), 1), density));
});

function comparison(type: string): Operator {
  return {
    type,
    infer: (inputs) => {
      requireSameDtype(type, inputs);
      return [{ dtype: 'bool', shape: broadcast(inputs[0]!.shape, inputs[1]!.shape, type) }];
    },
    vjp: null,
  };
}

const Equal = comparison('Equal');
const Greater = comparison('Greater');

const Not: Operator = {
  type: 'Not',
  infer: ([x]) => [{ dtype: 'bool', shape: x!.shape }],
  vjp: null,
};

const Where: Operator = {
  type: 'Where',
  infer: ([condition, a, b]) => {
    if (condition!.dtype !== 'bool') {
      throw new GraphError('dtype_mismatch', `Where: the condition must be bool: ${condition}`);
    }
    const dtype = requireSameDtype('Where', [a!, b!]);
    const shape = broadcast(condition!.shape, broadcast(a!.shape, b!.shape, 'Where'), 'Where');
    return [{ dtype, shape }];
  },
  vjp: ({ inputs: [condition, a, b] }, [dy], needs) => [
    null,
    needs(1) ? sumToShape(where(condition!, dy!, 0), a!.shape) : null,
    needs(2) ? sumToShape(where(condition!, 0, dy!), b!.shape) : null,
  ],
};

const DTYPE_OF = new Map(Object.entries(ONNX_DTYPE).map(([k, v]) => [v, k as DType]));

const Cast: Operator = {
  type: 'Cast',
  infer: ([x], { to }) => [{ dtype: DTYPE_OF.get(to as number)!, shape: x!.shape }],
  vjp: ({ inputs: [x] }, [dy]) => [cast(dy!, x!.dtype)],
};

type Operand = Value | number;

function pair(operator: Operator, a: Operand, b: Operand): Value {
  const like = typeof a === 'number' ? b : a;
  if (typeof like === 'number') {
    throw new GraphError('bad_argument', `${operator.type}: one operand must be a graph value`);
  }
  return apply(operator, [lift(a, like), lift(b, like)]);
}

export const add = (a: Operand, b: Operand): Value => pair(Add, a, b);
export const sub = (a: Operand, b: Operand): Value => pair(Sub, a, b);
export const mul = (a: Operand, b: Operand): Value => pair(Mul, a, b);
export const div = (a: Operand, b: Operand): Value => pair(Div, a, b);
export const equal = (a: Operand, b: Operand): Value => pair(Equal, a, b);
export const greater = (a: Operand, b: Operand): Value => pair(Greater, a, b);
export const neg = (x: Value): Value => apply(Neg, [x]);
export const exp = (x: Value): Value => apply(Exp, [x]);
export const log = (x: Value): Value => apply(Log, [x]);
export const sqrt = (x: Value): Value => apply(Sqrt, [x]);
export const tanh = (x: Value): Value => apply(Tanh, [x]);
export const sigmoid = (x: Value): Value => apply(Sigmoid, [x]);
export const relu = (x: Value): Value => apply(Relu, [x]);
export const erf = (x: Value): Value => apply(Erf, [x]);
export const gelu = (x: Value): Value => apply(Gelu, [x]);
export const identity = (x: Value): Value => apply(Identity, [x]);
export const not = (x: Value): Value => apply(Not, [x]);

/** `condition ? a : b`, element by element. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const like = typeof a === 'number' ? b : a;
  if (typeof like === 'number') {
    throw new GraphError('bad_argument', 'where: one branch must be a graph value');
  }
  return apply(Where, [condition, lift(a, like), lift(b, like)]);
}

export function cast(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : apply(Cast, [x], { to: ONNX_DTYPE[dtype] });
}
