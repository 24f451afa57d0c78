import { excerptOf, quoted } from '../datasets/issue.ts';
import { IssueLog, type IssueSummary } from '../datasets/issue-log.ts';
import { DATASET_LIMITS } from '../datasets/limits.ts';
import { inputKey } from './check-repeats.ts';
import type { TextExample } from './types.ts';

/**
 * Compares the examples of a development or test file with those of the training file. The issues are
 * about the lines of the former.
 */
export function checkSplits(
  train: readonly TextExample[],
  dev: readonly TextExample[],
  limit = DATASET_LIMITS.issues,
): IssueSummary {
  const log = new IssueLog(limit);
  const trained = new Set(train.map(({ gold }) => gold));
  const unseen = dev.filter(({ gold }) => gold !== undefined && !trained.has(gold));
  for (const [label, rows] of Map.groupBy(unseen, ({ gold }) => gold!)) {
    log.add('label_only_in_dev', {
      line: rows[0]!.line,
      message: `the label ${quoted(label)} (rows: ${rows.length}) is not in the training data and can never be predicted`,
      excerpt: excerptOf(rows[0]!.input.text),
      suggestion: 'add training examples of it, correct its spelling, or delete these rows',
      label,
      count: rows.length,
    });
  }
  const lines = new Map(train.map(({ input, line }) => [inputKey(input), line]));
  for (const { input, line } of dev) {
    const trainLine = lines.get(inputKey(input));
    if (trainLine === undefined) continue;
    log.add('row_in_train', {
      line,
      message: `the text is also on line ${trainLine} of the training data; scores on it say little`,
      excerpt: excerptOf(input.text),
      suggestion: 'delete it from one of the two files',
      trainLine,
    });
  }
  return log.summary();
}
