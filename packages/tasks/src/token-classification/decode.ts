// The best valid sequence of tags (Viterbi): where tags mark spans, `I-X` may only follow `B-X` or
// `I-X`. The best tag of each word alone would need repairs afterwards, which throw probability away.

import { groupOf, isSpanSet, OUTSIDE } from './tags.ts';

// A probability of zero must not make every path impossible.
const SMALLEST = 1e-30;

/**
 * One class per word.
 * @param words distributions over the labels; a word without one goes with its neighbours
 */
export function bestTags(
  words: readonly (readonly number[] | undefined)[],
  labels: readonly string[],
): number[] {
  if (!isSpanSet(labels)) return words.map((scores) => (scores ? argmax(scores) : 0));
  const insideOf = labels.map((label) =>
    label.startsWith('I-') ? labels.indexOf(`B-${groupOf(label)}`) : -1,
  );
  // Among equals the word is outside of spans: its label is looked at first.
  const order = labels
    .map((_, i) => i)
    .sort((a, b) => rank(labels[a]!) - rank(labels[b]!) || a - b);
  let totals: number[] = [];
  const from: Int32Array[] = [];
  words.forEach((scores, word) => {
    const anywhere = word === 0 ? -1 : best(totals, order);
    const origins = new Int32Array(labels.length).fill(anywhere);
    const next = new Array<number>(labels.length).fill(Number.NEGATIVE_INFINITY);
    for (const label of order) {
      const begin = insideOf[label]!;
      const isInside = labels[label]!.startsWith('I-');
      if (isInside) {
        if (word === 0) continue;
        // A head that lacks `B-X` can still go on with `I-X`.
        const previous = begin >= 0 && totals[begin]! > totals[label]! ? begin : label;
        origins[label] = previous;
      }
      const before = word === 0 ? 0 : totals[origins[label]!]!;
      next[label] = before + Math.log(Math.max(SMALLEST, scores?.[label] ?? 1));
    }
    from.push(origins);
    totals = next;
  });
  const path = new Array<number>(words.length);
  let at = words.length > 0 ? best(totals, order) : -1;
  for (let word = words.length - 1; word >= 0; word--) {
    path[word] = at;
    at = from[word]![at]!;
  }
  return path;
}

function rank(label: string): number {
  return label === OUTSIDE ? 0 : 1;
}

function best(totals: readonly number[], order: readonly number[]): number {
  return order.reduce((a, b) => (totals[b]! > totals[a]! ? b : a));
}

function argmax(scores: readonly number[]): number {
  return scores.indexOf(Math.max(...scores));
}
