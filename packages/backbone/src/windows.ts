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
  const [first, second, special] = countRows(sequences);
  const room = requireRoom(limit, special, 0);
  let [shorter, longer] = first <= second ? [first, second] : [second, first];
  if (shorter + longer > room) {
    longer = Math.max(shorter, room - shorter);
    if (shorter + longer > room) {
      shorter = Math.floor(room / 2);
      longer = room - shorter;
    }
  }
  const [keepFirst, keepSecond] = first <= second ? [shorter, longer] : [longer, shorter];
  return selectRows(sequences, [0, keepFirst], [0, keepSecond]);
}

/**
 * Rows of each window when the last sequence is cut into windows of at most `limit` tokens that share
 * `stride` tokens with their neighbour; with two sequences, the first stays whole in every window.
 * @throws BackboneError `bad_option` if a window would not advance
 */
export function windowRows(sequences: SequenceOfRow, limit: number, stride: number): number[][] {
  const [first, second, special] = countRows(sequences);
  const isPair = second > 0;
  const length = isPair ? second : first;
  const room = requireRoom(limit, special + (isPair ? first : 0), stride);
  const windows: number[][] = [];
  for (let start = 0; ; start += room - stride) {
    const span: Span = [start, start + room];
    windows.push(
      isPair ? selectRows(sequences, [0, first], span) : selectRows(sequences, span, [0, 0]),
    );
    if (start + room >= length) return windows;
  }
}

type Span = readonly [start: number, end: number];

function selectRows(sequences: SequenceOfRow, first: Span, second: Span): number[] {
  const rows: number[] = [];
  const seen = [0, 0];
  for (let row = 0; row < sequences.length; row++) {
    const sequence = sequences[row]!;
    if (sequence < 0) {
      rows.push(row);
      continue;
    }
    const index = seen[sequence]!++;
    const [start, end] = sequence === 0 ? first : second;
    if (index >= start && index < end) rows.push(row);
  }
  return rows;
}

function countRows(sequences: SequenceOfRow): [first: number, second: number, special: number] {
  let [first, second] = [0, 0];
  for (let row = 0; row < sequences.length; row++) {
    if (sequences[row] === 0) first++;
    else if (sequences[row] === 1) second++;
  }
  return [first, second, sequences.length - first - second];
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
