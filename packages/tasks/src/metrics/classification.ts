// Scores of single-label classification. A ratio with nothing in its
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
  /**
   * `confusion[gold][predicted]`, in the order of `perLabel`; left out beyond `CONFUSION_LABELS`,
   * where a table of all pairs says nothing to a reader and grows with the square.
   */
  readonly confusion?: readonly (readonly number[])[];
}

/** Most labels that a confusion matrix is made for. */
export const CONFUSION_LABELS = 200;

/** Pairs of gold and predicted label, as indices into `labels`, to scores. */
export function scorePairs(
  pairs: readonly (readonly [gold: number, predicted: number])[],
  labels: readonly string[],
): ClassificationScores {
  const correct = labels.map(() => 0);
  const support = labels.map(() => 0);
  const predictions = labels.map(() => 0);
  for (const [gold, predicted] of pairs) {
    support[gold]!++;
    predictions[predicted]!++;
    if (gold === predicted) correct[gold]!++;
  }
  const perLabel = labels.map((label, i) =>
    labelMetrics(label, correct[i]!, support[i]!, predictions[i]!),
  );
  // A label that occurs neither in the data nor in the answers says nothing about them.
  const present = perLabel.filter(({ support, predicted }) => support + predicted > 0);
  return {
    examples: pairs.length,
    metrics: {
      accuracy: ratio(sum(correct), pairs.length),
      f1_macro: ratio(sum(present.map(({ f1 }) => f1)), present.length),
    },
    perLabel,
    ...(labels.length <= CONFUSION_LABELS && { confusion: confusionOf(pairs, labels.length) }),
  };
}

function confusionOf(pairs: readonly (readonly [number, number])[], size: number): number[][] {
  const confusion = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  for (const [gold, predicted] of pairs) confusion[gold]![predicted]!++;
  return confusion;
}

function labelMetrics(
  label: string,
  correct: number,
  support: number,
  predicted: number,
): LabelMetrics {
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
