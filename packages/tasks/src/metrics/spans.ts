// Precision, recall and F1 of labelled spans: a span is right if its label and both ends are.

export interface SpanScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Spans of the data. */
  readonly support: number;
  /** Spans of the answers. */
  readonly predicted: number;
}

export interface SpanReport extends SpanScores {
  /** Mean of the labels' F1, over the labels that occur in the data or in the answers. */
  readonly f1Macro: number;
  readonly perLabel: readonly (SpanScores & { readonly label: string })[];
}

type LabelledSpan = readonly [label: string, start: number, end: number];

/** Spans of the data and of the answers, one pair of lists per text. */
export function scoreSpans(
  pairs: readonly (readonly [gold: readonly LabelledSpan[], found: readonly LabelledSpan[]])[],
): SpanReport {
  const counts = new Map<string, [right: number, gold: number, found: number]>();
  const countOf = (label: string) => {
    const count = counts.get(label) ?? [0, 0, 0];
    counts.set(label, count);
    return count;
  };
  for (const [gold, found] of pairs) {
    const wanted = new Map(gold.map((span) => [span.join('\0'), span]));
    const given = new Map(found.map((span) => [span.join('\0'), span]));
    for (const [label] of wanted.values()) countOf(label)[1]++;
    for (const [key, [label]] of given) {
      countOf(label)[2]++;
      if (wanted.has(key)) countOf(label)[0]++;
    }
  }
  const labels = [...counts.keys()].sort();
  const perLabel = labels.map((label) => ({ label, ...scores(...counts.get(label)!) }));
  const totals = [0, 1, 2].map((i) =>
    [...counts.values()].reduce((sum, each) => sum + each[i]!, 0),
  );
  const f1Macro = ratio(
    perLabel.reduce((sum, { f1 }) => sum + f1, 0),
    perLabel.length,
  );
  return { ...scores(...(totals as [number, number, number])), f1Macro, perLabel };
}

function scores(right: number, support: number, predicted: number): SpanScores {
  return {
    precision: ratio(right, predicted),
    recall: ratio(right, support),
    f1: ratio(2 * right, support + predicted),
    support,
    predicted,
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
