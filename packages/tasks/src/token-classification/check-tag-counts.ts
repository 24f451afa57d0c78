import { quoted } from '../datasets/issue.ts';
import type { IssueLog } from '../datasets/issue-log.ts';
import type { DatasetLimits } from '../datasets/limits.ts';
import { checkCounts } from '../text-classification/check-labels.ts';
import { OUTSIDE, spanTags } from './tags.ts';

/** What the spans, or the bare tags, of a training file must be like as a set. */
export function checkTagCounts(
  counts: ReadonlyMap<string, number>,
  bare: boolean,
  limits: DatasetLimits,
  log: IssueLog,
): void {
  const classes = bare ? [...counts.keys()] : spanTags([...counts.keys()]);
  if (classes.length === 1) {
    const label = classes[0] ?? OUTSIDE;
    log.add('single_label', {
      line: null,
      message: `every word has the tag ${quoted(label)}; there is nothing to tell apart`,
      suggestion: 'add examples with other tags',
      label,
    });
  }
  checkCounts(counts, classes.length, limits, log);
}
