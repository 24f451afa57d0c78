/** Tokens of a batch as padded arrays: what every graph of a backbone is fed. */
import type { TensorData } from '@polyprompt/autodiff';
import type { BackboneSpec } from '../config.ts';
import { firstPosition, type PositionRule } from './positions.ts';

export interface TokenRow {
  readonly ids: readonly number[];
  /** 0 or 1 per token (BERT); all 0 when absent. */
  readonly typeIds?: readonly number[];
  /** Length of the row's own prompt. */
  readonly promptLength: number;
  readonly positions: PositionRule;
}

export interface TokenBatch {
  readonly input_ids: TensorData;
  readonly attention_mask: TensorData;
  readonly position_ids: TensorData;
  readonly token_type_ids?: TensorData;
}

/**
 * Pads rows on the right to the longest.
 *
 * With `softLength` > 0 the rows carry input-level prompts, padded in front to that length: the
 * mask, positions and types then span [prompt ; tokens], and positions run over both, which is why
 * the rule plays no part.
 */
export function tokenBatch(
  spec: BackboneSpec,
  rows: readonly TokenRow[],
  softLength = 0,
): TokenBatch {
  const batch = rows.length;
  const length = rows.reduce((longest, { ids }) => Math.max(longest, ids.length), 1);
  const total = softLength + length;
  const ids = new BigInt64Array(batch * length).fill(BigInt(spec.padId));
  const mask = new Float32Array(batch * total);
  const positions = new BigInt64Array(batch * total);
  const types = new BigInt64Array(batch * total);

  rows.forEach((row, b) => {
    const count = row.ids.length;
    for (let i = 0; i < count; i++) {
      ids[b * length + i] = BigInt(row.ids[i]!);
      types[b * total + softLength + i] = BigInt(row.typeIds?.[i] ?? 0);
    }
    const start = softLength === 0 ? 0 : softLength - row.promptLength;
    mask.fill(1, b * total + start, b * total + softLength + count);
    const shift = softLength === 0 && row.positions === 'shifted' ? row.promptLength : 0;
    const first = firstPosition(spec) + shift;
    for (let i = 0; i < total; i++) {
      const real = i >= start && i < softLength + count;
      positions[b * total + i] = BigInt(
        real ? first + i - start : paddingAt(spec, first, i - start),
      );
    }
  });

  return {
    input_ids: { data: ids, shape: [batch, length] },
    attention_mask: { data: mask, shape: [batch, total] },
    position_ids: { data: positions, shape: [batch, total] },
    ...(spec.typeVocabSize > 1 ? { token_type_ids: { data: types, shape: [batch, total] } } : {}),
  };
}

/**
 * RoBERTa's padding has the pad row of the table. The others count on: a causal mask made from the
 * positions then hides the padding behind a row from it.
 */
function paddingAt(spec: BackboneSpec, first: number, offset: number): number {
  if (spec.family === 'roberta') return spec.padId;
  return Math.min(Math.max(0, first + offset), spec.maxPositions - 1);
}

/**
 * Which state of a row the head reads: the first token's (raw or through the checkpoint's pooler), the last one's,
 * or their mean; `virtual` is the first position of the row's own soft prompt, which models read that take a
 * prompt for text.
 */
export type PoolingRule = 'first' | 'pooler' | 'mean' | 'last' | 'virtual' | 'virtual-pooler';

export interface PooledRow {
  readonly ids: readonly number[];
  readonly pooling: PoolingRule;
  /** Length of the row's own soft prompt, for the rules that read it. */
  readonly softLength?: number;
}

/** Whether the pooled state goes through the checkpoint's pooler. */
export function usesPooler(pooling: PoolingRule): boolean {
  return pooling === 'pooler' || pooling === 'virtual-pooler';
}

/**
 * The weights [B, T] that make a row's pooled state out of its states. Padding has no weight, and of a prompt's
 * positions only the first may have; through the pooler the graph takes it.
 */
export function poolWeights(rows: readonly PooledRow[], total: number, softLength = 0): TensorData {
  const data = new Float32Array(rows.length * total);
  rows.forEach(({ ids, pooling, softLength: own = 0 }, b) => {
    const start = b * total + softLength;
    const last = start + ids.length - 1;
    if (pooling === 'mean') data.fill(1 / ids.length, start, last + 1);
    else if (pooling === 'last') data[last] = 1;
    // Prompts are padded in front.
    else data[pooling.startsWith('virtual') ? start - own : start] = 1;
  });
  return { data, shape: [rows.length, total] };
}
