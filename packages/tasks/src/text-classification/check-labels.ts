import { quoted } from '../datasets/issue.ts';
import type { IssueLog } from '../datasets/issue-log.ts';
import type { DatasetLimits } from '../datasets/limits.ts';

/** What the labels of a training file must be like as a set. */
export function checkLabels(
  counts: ReadonlyMap<string, number>,
  limits: DatasetLimits,
  log: IssueLog,
): void {
  if (counts.size === 1) {
    const [label] = counts.keys() as Iterable<string>;
    log.add('single_label', {
      line: null,
      message: `every row has the label ${quoted(label!)}; there is nothing to tell apart`,
      suggestion: 'add examples of at least one other label',
      label: label!,
    });
  }
  checkCounts(counts, counts.size, limits, log);
}

/** That there are not too many classes, and enough examples of each label. */
export function checkCounts(
  counts: ReadonlyMap<string, number>,
  classes: number,
  limits: DatasetLimits,
  log: IssueLog,
): void {
  if (classes > limits.labels) {
    log.add('too_many_labels', {
      line: null,
      message: `the file has ${classes.toLocaleString('en')} different labels; the limit is ${limits.labels}`,
      suggestion:
        'check that this is the column of the labels, merge rare ones, or raise the limit',
      count: classes,
      limit: limits.labels,
    });
    return;
  }
  for (const [label, count] of counts) {
    if (count >= limits.examplesPerLabel) continue;
    log.add('few_examples_for_label', {
      line: null,
      message: `the label ${quoted(label)} has ${count} example${count === 1 ? '' : 's'}; fewer than ${limits.examplesPerLabel} are hard to learn from`,
      suggestion: 'add examples, or merge the label with another one',
      label,
      count,
      limit: limits.examplesPerLabel,
    });
  }
}
