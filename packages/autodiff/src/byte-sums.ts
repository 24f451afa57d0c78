/**
 * Whether 8-bit products need help. x64 processors before VNNI add pairs of them in 16 bits, where the largest
 * overflow in silence; ONNX Runtime has slower kernels for these, but uses them only where it is told to.
 */
import * as ort from 'onnxruntime-node';
import { Graph } from './graph.ts';
import { serialize } from './onnx/serialize.ts';
import { matmulInt8, quantizeRows } from './ops/quantized.ts';
import { createSession } from './session.ts';

const SIZE = 64;
const LARGEST = 127;

let answer: Promise<boolean> | undefined;

/** Found out once, by the largest sums there are. */
export function byteSumsOverflow(): Promise<boolean> {
  answer ??= probe();
  return answer;
}

async function probe(): Promise<boolean> {
  const graph = new Graph();
  const rows = graph.input('rows', 'float32', ['M', SIZE]);
  const matrix = new Int8Array(SIZE * SIZE).fill(LARGEST);
  const product = matmulInt8(
    quantizeRows(rows),
    graph.constant(matrix, 'int8', [SIZE, SIZE]),
    graph.constant(new Float32Array(SIZE).fill(1 / LARGEST), 'float32', [SIZE]),
  );
  const session = await createSession(serialize(graph, { product }).model, {
    threads: 1,
    prepack: true,
  });
  const ones = new ort.Tensor('float32', new Float32Array(SIZE * SIZE).fill(1), [SIZE, SIZE]);
  const result = await session.run({ rows: ones });
  await session.release();
  const sums = result.product!.data as Float32Array;
  return sums.some((sum) => Math.abs(sum / SIZE - 1) > 1e-3);
}
