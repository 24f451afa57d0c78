import { byCodePoint } from '../datasets/report.ts';
import { TaskError } from '../errors.ts';
import type { Task } from '../task.ts';
import { classify } from './answer.ts';
import { checkSplits } from './check-splits.ts';
import { evaluateTexts } from './evaluate.ts';
import { encodeTexts, textFeatures } from './features.ts';
import { parseTexts } from './parse.ts';
import type { TextClassificationTypes } from './types.ts';

/** One label out of several for a text or a pair of texts. */
export const textClassification: Task<TextClassificationTypes> = {
  name: 'text-classification',
  output: 'pooled',
  loss: 'pooled',
  metric: 'accuracy',
  parse: parseTexts,
  labels: (examples) =>
    [...new Set(examples.map(({ gold }) => gold))]
      .filter((label) => label !== undefined)
      .sort(byCodePoint),
  checkSplits: (train, dev) => checkSplits(train, dev),
  encode: encodeTexts,
  features: textFeatures,
  answer: (_input, [piece, ...others], labels, options) => {
    if (piece === undefined || others.length > 0) {
      throw new TaskError('bad_logits', 'a text to classify has exactly one piece');
    }
    return classify(piece.logits, labels, options);
  },
  evaluate: evaluateTexts,
};
