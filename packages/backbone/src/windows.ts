// Which tokens of a full encoding survive a limit. Works on row numbers alone: the special tokens that
// the tokenizer added always stay in place, content rows are dropped from the end of a sequence or cut
// into overlapping windows.

import { BackboneError } from './errors.ts';

/** Row `i` belongs to sequence 0 or 1, or is a special token (-1). */
export type SequenceOfRow = ArrayLike<number>;

/**
 * Rows kept when everything must fit into `limit` tokens: the longer of two sequences loses tokens
 * first, at its end, as `longest_first` does in the reference tokenizers.
 * @throws BackboneError `bad_option` if not even the special tokens fit
 */
export function truncateRows(sequences: SequenceOfRow, limit: number): number[] {
  const { special, first, second } = groupRows(sequences);
  const room = requireRoom(limit, special.length, 0);
  let [shorter, longer] = [first.length, second.length].sort((a, b) => a - b) as [number, number];
  if (shorter + longer > room) {
    shorter = Math.min(shorter, Math.floor(room / 2));
    longer = room - shorter;
  }
  const [keepFirst, keepSecond] =
    first.length <= second.length ? [shorter, longer] : [longer, shorter];
  return inOrder(special, first.slice(0, keepFirst), second.slice(0, keepSecond));
}

/**
 * Rows of each window when the last sequence is cut into windows of at most `limit` tokens that share
 * `stride` tokens with their neighbour; with two sequences, the first stays whole in every window.
 * @throws BackboneError `bad_option` if a window would not advance
 */
export function windowRows(sequences: SequenceOfRow, limit: number, stride: number): number[][] {
  const { special, first, second } = groupRows(sequences);
  const [whole, cut] = second.length > 0 ? [first, second] : [second, first];
  const room = requireRoom(limit, special.length + whole.length, stride);
  const windows: number[][] = [];
  for (let start = 0; ; start += room - stride) {
    windows.push(inOrder(special, whole, cut.slice(start, start + room)));
    if (start + room >= cut.length) return windows;
  }
}

function inOrder(...groups: readonly (readonly number[])[]): number[] {
  return groups.flat().sort((a, b) => a - b);
}

function groupRows(sequences: SequenceOfRow) {
  const groups = { special: [] as number[], first: [] as number[], second: [] as number[] };
  for (let row = 0; row < sequences.length; row++) {
    const sequence = sequences[row]!;
    (sequence < 0 ? groups.special : sequence === 0 ? groups.first : groups.second).push(row);
  }
  return groups;
}

function requireRoom(limit: number, fixed: number, stride: number): number {
  if (!Number.isSafeInteger(limit) || !Number.isSafeInteger(stride) || limit < 1 || stride < 0) {
    throw new BackboneError(
      'bad_option',
      `a limit of ${limit} tokens with a stride of ${stride}: both must be whole numbers, the limit at least 1`,
    );
  }
  const room = limit - fixed;
  if (room <= stride) {
    throw new BackboneError(
      'bad_option',
      `a limit of ${limit} tokens leaves ${room} for text after ${fixed} fixed ones; it must leave more than the stride of ${stride}`,
    );
  }
  return room;
}
