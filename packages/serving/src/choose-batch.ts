import type { ServingLimits } from './limits.ts';

type Limits = Pick<ServingLimits, 'batchRows' | 'batchTokens' | 'batchPadding' | 'batchBytes'>;

/**
 * Picks one batch out of the items whose turn is near. The first always goes, so nothing starves;
 * those closest to it in length go with it, as long as rows, tokens and padding stay within limits.
 * A first item that is over a limit by itself goes alone. `bytes` is what an item takes besides its tokens; like
 * those it is padded to the most of any, so that a heavy one must not have all sorts of company.
 */
export function chooseBatch<Item extends { readonly tokens: number; readonly bytes?: number }>(
  candidates: readonly Item[],
  { batchRows, batchTokens, batchPadding, batchBytes }: Limits,
): Item[] {
  const [first, ...others] = candidates;
  if (first === undefined) return [];
  const distance = ({ tokens }: Item) => Math.abs(tokens - first.tokens);
  const batch = [first];
  let longest = first.tokens;
  let sum = first.tokens;
  let heaviest = first.bytes ?? 0;
  let bytes = heaviest;
  // A stable sort: items of equal length stay in the order of their turn.
  for (const item of others.sort((a, b) => distance(a) - distance(b))) {
    if (batch.length === batchRows) break;
    const length = Math.max(longest, item.tokens);
    const padded = length * (batch.length + 1);
    const padding = padded - sum - item.tokens;
    if (padded > batchTokens || padding > batchPadding * padded) continue;
    const own = item.bytes ?? 0;
    const most = Math.max(heaviest, own);
    const paddedBytes = most * (batch.length + 1);
    if (paddedBytes > batchBytes || paddedBytes - bytes - own > batchPadding * batchBytes) continue;
    batch.push(item);
    longest = length;
    sum += item.tokens;
    heaviest = most;
    bytes += own;
  }
  return batch;
}
