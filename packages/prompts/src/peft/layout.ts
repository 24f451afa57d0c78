/**
 * Numbers between PEFT's tensors and ours. PEFT's prefix is a table [T, 2 * layers * heads * headDim]: of each row,
 * slice 2l is the keys of layer l and 2l + 1 its values, head by head. Linear layers lie transposed.
 */
import type { Tensor } from '../prompt.ts';

/** `[T, layers * 2 * heads * headDim]` to `[layers, 2, heads, T, headDim]` */
export function prefixFromTable(table: Tensor, layers: number, heads: number): Tensor {
  const [length, width] = table.shape as [number, number];
  const headDim = width / (layers * 2 * heads);
  const shape = [layers, 2, heads, length, headDim];
  return { shape, data: swapRows(table.data, length, layers * 2 * heads, headDim) };
}

/** The way back. */
export function tableFromPrefix(prefix: Tensor): Tensor {
  const [layers, , heads, length, headDim] = prefix.shape as [number, 2, number, number, number];
  const rows = layers * 2 * heads;
  return {
    shape: [length, rows * headDim],
    data: swapRows(prefix.data, rows, length, headDim),
  };
}

/** `[a, b]` to `[b, a]` */
export function transposed({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number];
  return { shape: [columns, rows], data: swapRows(data, rows, columns, 1) };
}

/** `[outer, inner, width]` to `[inner, outer, width]` */
function swapRows(from: Float32Array, outer: number, inner: number, width: number): Float32Array {
  const to = new Float32Array(from.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (o * inner + i) * width;
      to.set(from.subarray(at, at + width), (i * outer + o) * width);
    }
  }
  return to;
}
