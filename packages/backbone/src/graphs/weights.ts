/** A backbone's tensors as graph values: references into the weight files, or inputs when tuned. */
import { realpathSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import {
  cast,
  type DType,
  type Graph,
  matmul,
  matmulInt8,
  type QuantizedRows,
  quantizeRows,
  type Value,
} from '@polyprompt/autodiff';
import { readFloat32 } from '@polyprompt/safetensors';
import type { Checkpoint, WeightDtype, WeightRef } from '../checkpoint.ts';
import { BackboneError } from '../errors.ts';
import type { CanonicalName } from '../names.ts';
import { quantizeColumns } from './quantize.ts';

export interface Weights {
  /** The value of a tensor, by its canonical name. */
  (name: CanonicalName): Value;
  /** x W^T, float32, for the matrix W [out, in] of that name; multiplied as `Precision` says. */
  product(name: CanonicalName, x: Value): Value;
}

const DTYPES: Record<WeightDtype, DType> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** Prefix of the input names of tuned weights, in front of the canonical name. */
export const WEIGHT_INPUT = 'weight:';

/**
 * What the large matrices are multiplied in. With float16, as GPUs are made for, they take half the memory and
 * their inputs are rounded; everything between them (the sums of the layers, LayerNorm, softmax, attention with
 * its prefix, heads) stays float32. With int8, for CPUs, they take a quarter: columns of weights and rows of inputs
 * have a scale each, and between them everything stays float32 as well.
 */
export type Precision = 'float32' | 'float16' | 'int8';
export const PRECISIONS: readonly Precision[] = ['float32', 'float16', 'int8'];

const LINEAR = /^layers\.\d+\.(attention|mlp)\.(query|key|value|output|up|down)\.weight$/;

/**
 * Frozen weights stay in their files and are converted once, when the session is made: half-precision ones are
 * widened, those of the linear layers take the precision asked for.
 */
export function frozenWeights(
  graph: Graph,
  checkpoint: Checkpoint,
  precision: Precision = 'float32',
): Weights {
  const folder = weightFolder(checkpoint);
  const stored = memoised((name: CanonicalName) => {
    const ref = tensor(checkpoint, name);
    const location = relative(folder, realpathSync(ref.file));
    const data = { location, offset: ref.offset, length: ref.byteLength };
    return graph.external(name, DTYPES[ref.dtype], ref.shape, data);
  });
  const weights = memoised((name: CanonicalName) => cast(stored(name), 'float32'));
  const quantized = precision === 'int8' ? quantizedProducts(graph, checkpoint) : undefined;
  const half = memoised((name: CanonicalName) => cast(stored(name), 'float16'));
  return Object.assign(weights, {
    product(name: CanonicalName, x: Value) {
      if (precision === 'float32' || !LINEAR.test(name)) return plain(weights(name), x);
      if (quantized) return quantized(name, x);
      return cast(plain(half(name), cast(x, 'float16')), x.dtype);
    },
  });
}

function plain(weight: Value, x: Value): Value {
  return matmul(x, weight, { transB: true });
}

/** A protobuf file ends at 2 GiB; what is not weights takes a few MB of it. */
const MAX_BYTES = 2 ** 31 - 2 ** 24;

function checkSize({ dir, tensors }: Checkpoint): void {
  const linear = [...tensors].filter(([name]) => LINEAR.test(name));
  const bytes = linear.reduce((sum, [, { shape }]) => sum + shape.reduce((a, b) => a * b, 1), 0);
  if (bytes <= MAX_BYTES) return;
  throw new BackboneError(
    'bad_option',
    `${dir}: the linear layers have ${bytes} weights, with precision "int8" there may be ${MAX_BYTES}; use "float32"`,
  );
}

/** Layers that read the same states share the bytes of these. */
function quantizedProducts(graph: Graph, checkpoint: Checkpoint): Weights['product'] {
  checkSize(checkpoint);
  const rows = memoised<Value, QuantizedRows>(quantizeRows);
  const matrices = memoised((name: CanonicalName) => {
    const ref = tensor(checkpoint, name);
    const [outputs, inputs] = ref.shape as [number, number];
    const weight = readFloat32(ref.file, ref);
    const { matrix, scale } = quantizeColumns(weight, outputs, inputs);
    // Left to the collector, the float32 copies of all matrices would be there together.
    (weight.buffer as ArrayBuffer).transfer(0);
    return {
      matrix: graph.constant(matrix, 'int8', [inputs, outputs]),
      scale: graph.constant(scale, 'float32', [outputs]),
    };
  });
  return (name, x) => {
    const { matrix, scale } = matrices(name);
    return matmulInt8(rows(x), matrix, scale);
  };
}

/**
 * The folder to compile against: the nearest one that holds all weight files. ONNX Runtime refuses
 * locations outside of it, also through links, and the Hugging Face cache is made of links.
 */
export function weightFolder(checkpoint: Checkpoint): string {
  const files = checkpoint.files.map(({ path }) => realpathSync(path));
  let folder = dirname(files[0]!);
  while (files.some((file) => relative(folder, file).startsWith('..'))) folder = dirname(folder);
  return folder;
}

/** Weights fed at every run, for full fine-tuning. */
export function tunedWeights(graph: Graph, checkpoint: Checkpoint): Weights {
  const weights = memoised((name: CanonicalName) =>
    graph.input(WEIGHT_INPUT + name, 'float32', tensor(checkpoint, name).shape),
  );
  return Object.assign(weights, {
    product: (name: CanonicalName, x: Value) => plain(weights(name), x),
  });
}

function tensor(checkpoint: Checkpoint, name: CanonicalName): WeightRef {
  const ref = checkpoint.tensors.get(name);
  if (!ref) throw new Error(`the checkpoint has no tensor ${name}`);
  return ref;
}

function memoised<Key, Made>(make: (key: Key) => Made): (key: Key) => Made {
  const made = new Map<Key, Made>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}
