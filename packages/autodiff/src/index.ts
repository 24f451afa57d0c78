/** @module Typed ONNX graph builder with reverse-mode gradients. See README.md. */
export { AdamW, type AdamWOptions, type AdamWState, clipScale, globalNorm } from './adamw.ts';
export type { Dim, Shape } from './dim.ts';
export { BYTES, type DType, type TypedArray } from './dtype.ts';
export { GraphError, type GraphErrorCode } from './errors.ts';
export { gradients } from './gradients.ts';
export { type ExternalData, Graph, Value, type ValueType } from './graph.ts';
export { crossEntropy } from './losses.ts';
export { type Outputs, serialize } from './onnx/serialize.ts';
export {
  add,
  cast,
  div,
  equal,
  erf,
  exp,
  gelu,
  greater,
  identity,
  log,
  mul,
  neg,
  not,
  relu,
  sigmoid,
  sqrt,
  sub,
  tanh,
  where,
} from './ops/elementwise.ts';
export { gather, oneHot } from './ops/index-ops.ts';
export { type MatmulOptions, matmul } from './ops/matmul.ts';
export { layerNorm, logSoftmax, softmax } from './ops/normalize.ts';
export { matmulInt8, type QuantizedRows, quantizeRows } from './ops/quantized.ts';
export { reduceMax, reduceMean, reduceMin, reduceSum, sumToShape } from './ops/reduce.ts';
export {
  concat,
  expandLike,
  flatten,
  repeatLike,
  reshape,
  reshapeLike,
  shapeOf,
  slice,
  split,
  transpose,
  unsqueeze,
  zerosLike,
} from './ops/shape.ts';
export {
  type CompileOptions,
  compile,
  type Feeds,
  type Program,
  type TensorData,
} from './program.ts';
