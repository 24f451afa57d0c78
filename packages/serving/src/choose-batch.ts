import type { ServingLimits } from './limits.ts';

type Limits = Pick<ServingLimits, 'batchRows' | 'batchTokens' | 'batchPadding'>;

/**
 * Picks one batch out of the items whose turn is near. The first always goes, so nothing starves;
 * those closest to it in length go with it, as long as rows, tokens and padding stay within limits.
 * A first item that is over the token limit by itself goes alone.
 */
export function chooseBatch<Item extends { readonly tokens: number }>(
  candidates: readonly Item[],
  { batchRows, batchTokens, batchPadding }: Limits,
): Item[] {
  const [first, ...others] = candidates;
  if (first === undefined) return [];
  const distance = ({ tokens }: Item) => Math.abs(tokens - first.tokens);
  const batch = [first];
  let longest = first.tokens;
  let sum = first.tokens;
  // A stable sort: items of equal length stay in the order of their turn.
  for (const item of others.sort((a, b) => distance(a) - distance(b))) {
    if (batch.length === batchRows) break;
    const length = Math.max(longest, item.tokens);
    const padded = length * (batch.length + 1);
    const padding = padded - sum - item.tokens;
    if (padded > batchTokens || padding > batchPadding * padded) continue;
    batch.push(item);
    longest = length;
    sum += item.tokens;
  }
  return batch;
}
