import { TaskError } from '../errors.ts';
import { sigmoid, softmax } from '../metrics/scores.ts';
import type { AnswerOptions, LabelScore } from './types.ts';

/**
 * Scores of all labels, best first.
 * @param logits `[labels.length]`
 * @throws TaskError `bad_logits`, `bad_option`
 */
export function classify(
  logits: ArrayLike<number>,
  labels: readonly string[],
  { functionToApply = 'softmax', topK = labels.length }: AnswerOptions = {},
): LabelScore[] {
  if (logits.length !== labels.length) {
    throw new TaskError('bad_logits', `${logits.length} logits for ${labels.length} labels`);
  }
  const values = Array.from(logits);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new TaskError('bad_logits', `the logit of label "${labels[bad]}" is ${values[bad]}`);
  }
  if (!Number.isSafeInteger(topK) || topK < 1) {
    throw new TaskError('bad_option', `topK is ${topK}; it must be a whole number of at least 1`);
  }
  const scores = scoreWith(functionToApply, values);
  return labels
    .map((label, i) => ({ label, score: scores[i]! }))
    .sort((a, b) => b.score - a.score)
    .slice(0, topK);
}

function scoreWith(
  name: NonNullable<AnswerOptions['functionToApply']>,
  logits: readonly number[],
): readonly number[] {
  switch (name) {
    case 'softmax':
      return softmax(logits);
    case 'sigmoid':
      return logits.map(sigmoid);
    case 'none':
      return logits;
    default:
      name satisfies never;
      throw new TaskError(
        'bad_option',
        `functionToApply is "${name}"; choose softmax, sigmoid or none`,
      );
  }
}
