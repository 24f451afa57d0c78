/** Where positions start, and XGLM's table of them. */
import type { BackboneSpec } from '../config.ts';

/**
 * `shifted`: the first token comes after the prefix, as the reference code counts (PAPERS: RoBERTa
 * pad + 1 + P). `unshifted`: as if there were no prefix.
 */
export type PositionRule = 'shifted' | 'unshifted';

/** Position of the first token without a prompt: RoBERTa counts from pad + 1, the others from 0. */
export function firstPosition(spec: BackboneSpec): number {
  return spec.family === 'roberta' ? spec.padId + 1 : 0;
}

/**
 * XGLM's sinusoidal table, row-major [positions, hidden]: sines, then cosines, of
 * t * exp(-i ln(10000) / (hidden/2 - 1)), for t = offset .. offset + positions - 1.
 */
export function sinusoids(positions: number, hidden: number, offset: number): Float32Array {
  const half = hidden / 2;
  const table = new Float32Array(positions * hidden);
  for (let i = 0; i < half; i++) {
    // The reference multiplies in float32; so do we, to agree for late positions too.
    const frequency = Math.fround(Math.exp((-i * Math.log(10_000)) / (half - 1)));
    for (let t = 0; t < positions; t++) {
      const angle = Math.fround((t + offset) * frequency);
      table[t * hidden + i] = Math.sin(angle);
      table[t * hidden + half + i] = Math.cos(angle);
    }
  }
  return table;
}
