/**
 * Prefixes as the serving graph wants them: per layer, one key and one value block for every row of
 * the batch. Rows are filled here, whatever prompts they have, so a batch of thirty-two prompts
 * costs what a batch of one prompt costs, and the graph needs no gather. The memory is kept between
 * batches: fresh pages for every batch took longer than the copying.
 */
import type { TensorData } from '@polyprompt/autodiff';
import type { BackboneSpec } from '../config.ts';

/** [layers, 2, heads, P, headDim] */
export interface PrefixTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Input names of a layer's block, each [B, heads, P, headDim]. */
export const prefixInput = (layer: number, part: 'key' | 'value'): string =>
  `prefix.${layer}.${part}`;

export class RowPrefixes {
  readonly #spec: BackboneSpec;
  #blocks: Float32Array[];

  constructor(spec: BackboneSpec) {
    this.#spec = spec;
    this.#blocks = [];
  }

  /**
   * The feeds of one batch, valid until the next call. Prefixes shorter than `length` are padded at
   * the end and masked there; rows without one are masked as a whole.
   * @param rows one entry per row of the batch
   */
  feeds(rows: readonly (PrefixTensor | undefined)[], length: number): Record<string, TensorData> {
    const { layers, heads, headDim } = this.#spec;
    const perRow = heads * length * headDim;
    const size = rows.length * perRow;
    if ((this.#blocks[0]?.length ?? 0) < size) {
      this.#blocks = Array.from({ length: 2 * layers }, () => new Float32Array(size));
    }
    const mask = new Float32Array(rows.length * length);
    rows.forEach((prefix, b) => {
      const own = prefix?.shape[3] ?? 0;
      mask.fill(1, b * length, b * length + own);
      this.#blocks.forEach((block, part) => {
        if (own === length) {
          block.set(prefix!.data.subarray(part * perRow, (part + 1) * perRow), b * perRow);
          return;
        }
        // What an earlier batch left behind must not be multiplied by the mask's exact zero.
        block.fill(0, b * perRow, (b + 1) * perRow);
        for (let head = 0; prefix && head < heads; head++) {
          const from = (part * heads + head) * own * headDim;
          const values = prefix.data.subarray(from, from + own * headDim);
          block.set(values, b * perRow + head * length * headDim);
        }
      });
    });
    const shape = [rows.length, heads, length, headDim];
    const feeds: Record<string, TensorData> = {
      prefix_mask: { data: mask, shape: [rows.length, length] },
    };
    this.#blocks.forEach((block, part) => {
      const name = prefixInput(part >> 1, part % 2 === 0 ? 'key' : 'value');
      feeds[name] = { data: block.subarray(0, size), shape };
    });
    return feeds;
  }
}
