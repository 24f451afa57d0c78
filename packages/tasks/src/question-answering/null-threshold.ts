// The threshold of "there is none" that a data set would choose, as the SQuAD 2.0 script finds it: all
// questions in the order of their margins, the answer flipped one after the other.

export interface Judged {
  readonly impossible: boolean;
  /** F1 of the best span, whatever was said; 0 for impossible questions. */
  readonly spanF1: number;
  /** Log probability of "there is none" over that of the best span. */
  readonly margin: number;
}

export interface BestThreshold {
  readonly threshold: number;
  /** Mean F1 with it. */
  readonly f1: number;
}

/** Finite always; among thresholds that are equally good, the lowest margin that must stay answered. */
export function bestNullThreshold(judged: readonly Judged[]): BestThreshold {
  const sorted = [...judged].sort((a, b) => a.margin - b.margin);
  // With a threshold below all margins, everything is "there is none".
  let total = judged.filter(({ impossible }) => impossible).length;
  let best = { total, at: -1 };
  for (const [i, { impossible, spanF1 }] of sorted.entries()) {
    total += impossible ? -1 : spanF1;
    const isLast = sorted[i + 1]?.margin !== sorted[i]!.margin;
    if (isLast && total > best.total) best = { total, at: i };
  }
  return {
    threshold: between(sorted[best.at]?.margin, sorted[best.at + 1]?.margin),
    f1: judged.length === 0 ? 0 : best.total / judged.length,
  };
}

/** Halfway between two margins; where there is only one, a little beyond it. */
function between(below: number | undefined, above: number | undefined): number {
  const finite = [below, above].map((value) => (Number.isFinite(value) ? value : undefined));
  const [low, high] = finite;
  if (low !== undefined && high !== undefined) return (low + high) / 2;
  if (low !== undefined) return low + 1;
  return high === undefined ? 0 : high - 1;
}
