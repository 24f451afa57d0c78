/** Weights of linear layers as 8-bit integers. Derived when a graph is built; model folders never hold them. */

/** Columns of the product: what is written for column n means `scale[n] * matrix[k, n]`. */
export interface QuantizedMatrix {
  /** [in, out], values from -127 to 127. */
  readonly matrix: Int8Array;
  /** [out], positive. */
  readonly scale: Float32Array;
}

const STEPS = 127;
/** A column of nothing larger counts as zeros; its scale would have too few bits. */
const SMALLEST = 1e-30;
/** Side of the squares in which the matrix is transposed: both sides of one stay in the cache. */
const SQUARE = 64;

/**
 * Quantises W [outputs, inputs], as linear layers store it, with a scale per output: every weight is off by half a
 * step of its column at most.
 */
export function quantizeColumns(
  weight: Float32Array,
  outputs: number,
  inputs: number,
): QuantizedMatrix {
  const scale = new Float32Array(outputs);
  const perStep = new Float64Array(outputs);
  for (let n = 0; n < outputs; n++) {
    let most = 0;
    for (let at = n * inputs; at < (n + 1) * inputs; at++) {
      const size = Math.abs(weight[at]!);
      if (size > most) most = size;
    }
    const some = most > SMALLEST;
    scale[n] = some ? most / STEPS : 1;
    perStep[n] = some ? STEPS / most : 0;
  }
  const matrix = new Int8Array(inputs * outputs);
  for (let top = 0; top < outputs; top += SQUARE) {
    const bottom = Math.min(top + SQUARE, outputs);
    for (let left = 0; left < inputs; left += SQUARE) {
      const right = Math.min(left + SQUARE, inputs);
      for (let n = top; n < bottom; n++) {
        const factor = perStep[n]!;
        for (let k = left; k < right; k++) {
          matrix[k * outputs + n] = Math.round(weight[n * inputs + k]! * factor);
        }
      }
    }
  }
  return { matrix, scale };
}
