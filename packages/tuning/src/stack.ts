/**
 * Parameters of several prompts as one array with a leading axis of prompts, and their gradients
 * taken apart again. Shorter prompts and heads of fewer classes are padded; `prefix_mask`, the
 * attention mask and the bias below keep padding from having any effect.
 */
import type { TensorData } from '@polyprompt/autodiff';
import type { Parameter } from './parameter.ts';

/** Score of a class that a head does not have: its probability is exactly 0 in float32. */
const NO_CLASS = -1e9;

/** Which axis of a parameter may differ between prompts, at which end it is padded, with what. */
const PADDING: Readonly<Record<string, { axis: number; atFront: boolean; value: number }>> = {
  prefix: { axis: 4, atFront: false, value: 0 },
  // In front: a row's prompt ends where its tokens begin.
  soft_prompt: { axis: 1, atFront: true, value: 0 },
  head_weight: { axis: 2, atFront: false, value: 0 },
  head_bias: { axis: 1, atFront: false, value: NO_CLASS },
};

/** One parameter of N prompts as [N, ...], each brought to `shape` ([1, ...]). */
export function stack(parts: readonly Parameter[], shape: readonly number[]): TensorData {
  const [only] = parts;
  if (parts.length === 1 && sameShape(only!.shape, shape)) return { data: only!.data, shape };
  const size = elements(shape);
  const data = new Float32Array(parts.length * size);
  parts.forEach((part, n) => {
    const target = data.subarray(n * size, (n + 1) * size);
    if (sameShape(part.shape, shape)) {
      target.set(part.data);
      return;
    }
    target.fill(PADDING[part.name]!.value);
    eachBlock(part, shape, (own, padded, length) => {
      target.set(part.data.subarray(own, own + length), padded);
    });
  });
  return { data, shape: [parts.length, ...shape.slice(1)] };
}

/** The gradient of prompt `n` for its parameter, out of the gradient of a stack. */
export function unstack(
  gradient: Float32Array,
  shape: readonly number[],
  n: number,
  part: Parameter,
): Float32Array {
  const size = elements(shape);
  const source = gradient.subarray(n * size, (n + 1) * size);
  if (sameShape(part.shape, shape)) return source;
  const data = new Float32Array(part.data.length);
  eachBlock(part, shape, (own, padded, length) => {
    data.set(source.subarray(padded, padded + length), own);
  });
  return data;
}

/** Calls back for every contiguous block: where it is in the parameter's own array and where in the padded one. */
function eachBlock(
  { name, shape: own }: Parameter,
  shape: readonly number[],
  each: (own: number, padded: number, length: number) => void,
): void {
  const { axis, atFront } = PADDING[name]!;
  const inner = elements(own.slice(axis + 1));
  const length = own[axis]! * inner;
  const width = shape[axis]! * inner;
  const shift = atFront ? width - length : 0;
  for (let block = 0; block < elements(own.slice(0, axis)); block++) {
    each(block * length, block * width + shift, length);
  }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.every((size, i) => size === b[i]);
}
