/** Which examples train together: length-bucketed batches, and their cut into affordable pieces. */
import type { Device, TuningMethod } from '@polyprompt/backbone';
import { permutation, randomStream } from './random.ts';

/** Batches are cut from pools of this many batches sorted by length: little padding, much mixing. */
const POOL_BATCHES = 8;

/**
 * The batches of one epoch, as indices into `lengths`, in the order of training. Every example
 * occurs once; the order depends on the seed and the epoch only.
 */
export function epochBatches(
  lengths: readonly number[],
  batchSize: number,
  seed: number,
  epoch: number,
): number[][] {
  const random = randomStream(seed, 'batches', epoch);
  const order = permutation(lengths.length, random);
  const batches: number[][] = [];
  for (let at = 0; at < order.length; at += batchSize * POOL_BATCHES) {
    const pool = order.slice(at, at + batchSize * POOL_BATCHES);
    pool.sort((a, b) => lengths[a]! - lengths[b]! || a - b);
    for (let i = 0; i < pool.length; i += batchSize) batches.push(pool.slice(i, i + batchSize));
  }
  return permutation(batches.length, random).map((i) => batches[i]!);
}

/** A run of the graph costs about as much as this much padding. */
const PIECE_TOKENS = 128;

/**
 * Cuts rows of several prompts, each with lengths of its own, into groups of like lengths: within
 * `maxTokens`, and so that the padding saved is worth one more run of the graph.
 */
export function byLength<T extends { readonly ids: readonly number[] }>(
  rows: readonly T[],
  maxTokens: number,
): T[][] {
  const sorted = rows
    .map((row, i) => ({ row, i }))
    .sort((a, b) => b.row.ids.length - a.row.ids.length || a.i - b.i)
    .map(({ row }) => row);
  return withinBudget(sorted, maxTokens).flatMap((group) => {
    const pieces: T[][] = [];
    let piece: T[] = [];
    let padding = 0;
    for (const row of group) {
      padding += (piece[0] ?? row).ids.length - row.ids.length;
      if (padding > PIECE_TOKENS) {
        pieces.push(piece);
        piece = [];
        padding = 0;
      }
      piece.push(row);
    }
    pieces.push(piece);
    return pieces;
  });
}

/**
 * Cuts rows into consecutive groups whose padded size (rows x longest) stays within `maxTokens`; a
 * single longer row is a group of its own.
 */
export function withinBudget<T extends { readonly ids: readonly number[] }>(
  rows: readonly T[],
  maxTokens: number,
): T[][] {
  const groups: T[][] = [];
  let group: T[] = [];
  let longest = 0;
  for (const row of rows) {
    const width = Math.max(longest, row.ids.length);
    if (group.length > 0 && width * (group.length + 1) > maxTokens) {
      groups.push(group);
      group = [];
      longest = 0;
    }
    group.push(row);
    longest = Math.max(longest, row.ids.length);
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/**
 * Tokens per run of the graph. On a CPU small pieces keep the activations in the caches, which is
 * faster than one large batch and takes less than half of the memory; a GPU wants to be filled, and
 * fine-tuning has gradients of every weight to add up per piece.
 */
export function tokenBudgetOn(
  device: Device,
  { tokenBudget, method }: { readonly tokenBudget: number | null; readonly method: TuningMethod },
): number {
  if (tokenBudget !== null) return tokenBudget;
  if (device === 'cuda') return 8192;
  return method === 'full' ? 4096 : 1024;
}
