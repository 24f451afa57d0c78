/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter 2019) and global-norm clipping, beside
 * the graph: for a prompt's some hundred thousand numbers a loop over typed arrays takes about a
 * millisecond, less than feeding the state through a session would.
 */
export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

export interface AdamWState {
  step: number;
  /** First and second moments, one pair per parameter, in the order of the parameters. */
  readonly moments: readonly { readonly m: Float32Array; readonly v: Float32Array }[];
}

export class AdamW {
  readonly #parameters: readonly Float32Array[];
  readonly #options: Required<AdamWOptions>;
  readonly state: AdamWState;

  /** `parameters` are changed in place by `step`. */
  constructor(
    parameters: readonly Float32Array[],
    options: AdamWOptions = {},
    state: AdamWState = { step: 0, moments: zeroMoments(parameters) },
  ) {
    this.#parameters = parameters;
    this.#options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, ...options };
    this.state = state;
  }

  /**
   * One update: `x *= 1 - lr * decay`, then `x -= lr * m' / (sqrt(v') + eps)` with bias-corrected
   * moments. `scale` multiplies the gradients first (see clipScale).
   */
  step(gradients: readonly Float32Array[], lr: number, decay = 0, scale = 1): void {
    const { beta1, beta2, epsilon } = this.#options;
    const t = ++this.state.step;
    const rate = lr / (1 - beta1 ** t);
    const correction = 1 / Math.sqrt(1 - beta2 ** t);
    const keep = 1 - lr * decay;
    this.#parameters.forEach((x, k) => {
      const { m, v } = this.state.moments[k]!;
      const gradient = gradients[k]!;
      for (let i = 0; i < x.length; i++) {
        const g = gradient[i]! * scale;
        const mi = beta1 * m[i]! + (1 - beta1) * g;
        const vi = beta2 * v[i]! + (1 - beta2) * g * g;
        m[i] = mi;
        v[i] = vi;
        x[i] = x[i]! * keep - (rate * mi) / (Math.sqrt(vi) * correction + epsilon);
      }
    });
  }
}

function zeroMoments(parameters: readonly Float32Array[]): AdamWState['moments'] {
  return parameters.map((x) => ({
    m: new Float32Array(x.length),
    v: new Float32Array(x.length),
  }));
}

/** Square root of the sum of squares over all gradients, summed in double precision. */
export function globalNorm(gradients: readonly Float32Array[]): number {
  let sum = 0;
  for (const gradient of gradients) {
    for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  }
  return Math.sqrt(sum);
}

/** Factor that brings gradients of this norm down to `maxNorm` (1 if they are within it). */
export function clipScale(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}
