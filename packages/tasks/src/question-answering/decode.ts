// From the logits of one window to its best spans. Start and end are drawn independently, each by a softmax
// over the tokens of the context and the first token of the row, which stands for "not here": so does
// Hugging Face's pipeline. Every pair in order and within the length is looked at, not only the best
// starts with the best ends.

import { TaskError } from '../errors.ts';
import type { ScoredPiece } from '../task.ts';

export interface Span {
  /** In code points of the context. */
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

export interface WindowSpans {
  /** Best first, at most as many as asked for. */
  readonly spans: readonly Span[];
  readonly nullScore: number;
}

const COLUMNS = 2;

/** @throws TaskError `bad_logits` */
export function decodeWindow(
  { context, ids, logits }: ScoredPiece,
  maxAnswerTokens: number,
  most: number,
): WindowSpans {
  if (context === undefined || logits.length !== COLUMNS * ids.length) {
    throw new TaskError(
      'bad_logits',
      `${logits.length} logits for a window of ${ids.length} tokens; it has two for each`,
    );
  }
  const { first, starts, ends } = context;
  const count = starts.length;
  const start = probabilities(logits, 0, first, count);
  const end = probabilities(logits, 1, first, count);
  const best: Span[] = [];
  for (let i = 0; i < count; i++) {
    for (let j = i; j < Math.min(count, i + maxAnswerTokens); j++) {
      const score = start[i + 1]! * end[j + 1]!;
      if (ends[j]! <= starts[i]!) continue;
      if (best.length === most && score <= best.at(-1)!.score) continue;
      insert(best, { start: starts[i]!, end: ends[j]!, score }, most);
    }
  }
  return { spans: best, nullScore: start[0]! * end[0]! };
}

/** Of "not here" and of every token of the context. */
function probabilities(
  logits: Float32Array,
  column: number,
  first: number,
  count: number,
): Float64Array {
  const values = new Float64Array(count + 1);
  values[0] = logits[column]!;
  for (let i = 0; i < count; i++) values[i + 1] = logits[COLUMNS * (first + i) + column]!;
  const highest = values.reduce((a, b) => Math.max(a, b));
  if (!Number.isFinite(highest)) {
    throw new TaskError('bad_logits', `a logit of column ${column} is ${highest}`);
  }
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.exp(values[i]! - highest);
    sum += values[i]!;
  }
  return values.map((value) => value / sum);
}

/** Into a short list in descending order; among equals the first found stays first. */
function insert(best: Span[], span: Span, most: number): void {
  let low = 0;
  let high = best.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (best[middle]!.score >= span.score) low = middle + 1;
    else high = middle;
  }
  best.splice(low, 0, span);
  if (best.length > most) best.pop();
}
