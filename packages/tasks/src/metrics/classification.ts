// Scores of single-label classification from its confusion matrix. A ratio with nothing in its
// denominator is 0, so no score is ever NaN.

export interface LabelMetrics {
  readonly label: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Examples that have the label. */
  readonly support: number;
  /** Examples that were given the label. */
  readonly predicted: number;
}

export interface ClassificationScores {
  readonly examples: number;
  readonly metrics: { readonly accuracy: number; readonly f1_macro: number };
  /** One entry per label, in the order of the labels. */
  readonly perLabel: readonly LabelMetrics[];
  /** `confusion[gold][predicted]`, in the order of `perLabel`. */
  readonly confusion: readonly (readonly number[])[];
}

/** Pairs of gold and predicted label, as indices into `labels`, to scores. */
export function scorePairs(
  pairs: readonly (readonly [gold: number, predicted: number])[],
  labels: readonly string[],
): ClassificationScores {
  const confusion = labels.map(() => labels.map(() => 0));
  for (const [gold, predicted] of pairs) confusion[gold]![predicted]!++;
  const perLabel = labels.map((label, i) => labelMetrics(label, i, confusion));
  const correct = sum(labels.map((_, i) => confusion[i]![i]!));
  // A label that occurs neither in the data nor in the answers says nothing about them.
  const present = perLabel.filter(({ support, predicted }) => support + predicted > 0);
  return {
    examples: pairs.length,
    metrics: {
      accuracy: ratio(correct, pairs.length),
      f1_macro: ratio(sum(present.map(({ f1 }) => f1)), present.length),
    },
    perLabel,
    confusion,
  };
}

function labelMetrics(
  label: string,
  index: number,
  confusion: readonly (readonly number[])[],
): LabelMetrics {
  const correct = confusion[index]![index]!;
  const support = sum(confusion[index]!);
  const predicted = sum(confusion.map((row) => row[index]!));
  return {
    label,
    precision: ratio(correct, predicted),
    recall: ratio(correct, support),
    f1: ratio(2 * correct, support + predicted),
    support,
    predicted,
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
