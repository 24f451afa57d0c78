/** A compiled graph: ONNX Runtime session behind checked, plainly typed feeds and results. */
import * as ort from 'onnxruntime-node';
import { byteSumsOverflow } from './byte-sums.ts';
import { type Dim, showShape } from './dim.ts';
import type { DType, TypedArray } from './dtype.ts';
import { GraphError } from './errors.ts';
import type { Value } from './graph.ts';
import { type Outputs, serialize } from './onnx/serialize.ts';
import { MatMulIntegerToFloat } from './ops/quantized.ts';
import { createSession, type SessionOptions } from './session.ts';

export interface TensorData {
  readonly data: TypedArray;
  readonly shape: readonly number[];
}

export type Feeds = Readonly<Record<string, TensorData>>;

export interface CompileOptions extends SessionOptions {
  /** Whether the memory of the graph's constants is given back at once; it cannot be compiled again. */
  readonly consume?: boolean;
}

/** What is known of an input; the graph itself, with its constants, is let go. */
type Input = Pick<Value, 'dtype' | 'shape' | 'toString'>;

export interface Program {
  /** Names, types and shapes of what `run` wants. */
  readonly inputs: ReadonlyMap<string, Input>;
  /**
   * Computes the outputs. Blocks the calling thread, although it returns a promise: call it from
   * a worker thread where that matters.
   * @throws GraphError `bad_feed` for a missing, unknown, wrongly typed or wrongly shaped input.
   */
  run(feeds: Feeds): Promise<Record<string, TensorData>>;
  release(): Promise<void>;
}

/** Builds a session that computes `outputs`. The graph is not needed afterwards. */
export async function compile(outputs: Outputs, options: CompileOptions = {}): Promise<Program> {
  const first = Object.values(outputs)[0];
  if (!first) throw new GraphError('bad_argument', 'compile: at least one output is needed');
  const { model, inputs } = serialize(first.graph, outputs);
  const bytes = first.graph.nodes.some(({ operator }) => operator === MatMulIntegerToFloat);
  const session = await createSession(model, options, bytes && (await byteSumsOverflow()));
  free(model);
  if (options.consume) {
    for (const { source } of first.graph.values) if (source.kind === 'constant') free(source.data);
  }
  const declared = new Map(inputs.map((value) => [value.name, detached(value)]));
  return {
    inputs: declared,
    async run(feeds) {
      checkFeeds(declared, feeds);
      const tensors: Record<string, ort.Tensor> = {};
      for (const [name, { data, shape }] of Object.entries(feeds)) {
        tensors[name] = new ort.Tensor(
          declared.get(name)!.dtype as 'float32',
          data as Float32Array,
          shape,
        );
      }
      const results: Record<string, TensorData> = {};
      for (const [name, tensor] of Object.entries(await session.run(tensors))) {
        results[name] = { data: tensor.data as TypedArray, shape: tensor.dims };
      }
      return results;
    },
    release: () => session.release(),
  };
}

function detached(value: Value): Input {
  const { dtype, shape } = value;
  const text = String(value);
  return { dtype, shape, toString: () => text };
}

/** Gives memory back now instead of at some garbage collection, unless others have a part of it. */
function free({ buffer, byteLength }: TypedArray): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

const ARRAYS: Partial<Record<DType, new (n: number) => TypedArray>> = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

function checkFeeds(declared: ReadonlyMap<string, Input>, feeds: Feeds): void {
  for (const name of Object.keys(feeds)) {
    if (!declared.has(name)) {
      const known = [...declared.keys()].join(', ');
      throw new GraphError('bad_feed', `the program has no input "${name}"; it has ${known}`);
    }
  }
  const symbols = new Map<string, number>();
  for (const [name, value] of declared) {
    const feed = feeds[name];
    if (!feed) throw new GraphError('bad_feed', `input ${value} was not fed`);
    const array = ARRAYS[value.dtype];
    if (!array || !(feed.data instanceof array)) {
      throw new GraphError('bad_feed', `input ${value} was fed a ${feed.data.constructor.name}`);
    }
    checkShape(value, feed, symbols);
  }
}

function checkShape(value: Input, feed: TensorData, symbols: Map<string, number>): void {
  const fail = (why: string) => {
    throw new GraphError('bad_feed', `input ${value} was fed ${showShape(feed.shape)}: ${why}`);
  };
  if (feed.shape.length !== value.shape.length) fail(`it has ${value.shape.length} axes`);
  const count = feed.shape.reduce((n, dim) => n * dim, 1);
  if (count !== feed.data.length)
    fail(`that is ${count} elements, the array has ${feed.data.length}`);
  value.shape.forEach((dim: Dim, axis) => {
    const got = feed.shape[axis]!;
    if (typeof dim === 'number') {
      if (dim !== got) fail(`axis ${axis} must be ${dim}`);
    } else if (/^\w+$/.test(dim)) {
      const bound = symbols.get(dim) ?? got;
      if (bound !== got) fail(`axis ${axis} is ${dim}, which is ${bound} in another input`);
      symbols.set(dim, got);
    }
  });
}
