import { excerptOf, quoted } from '../datasets/issue.ts';
import { IssueLog, type IssueSummary } from '../datasets/issue-log.ts';
import { DATASET_LIMITS } from '../datasets/limits.ts';
import { inputKey, textOf } from './check-repeats.ts';
import { groupOf, OUTSIDE } from './tags.ts';
import type { TaggedExample, TaggingGold } from './types.ts';

/** Sentences of fewer words are in every corpus ("Thank you .") and no sign of a leak. */
const TELLING_WORDS = 5;

/** Compares a development or test file with the training file; the issues are about the former. */
export function checkTaggedSplits(
  train: readonly TaggedExample[],
  dev: readonly TaggedExample[],
  limit = DATASET_LIMITS.issues,
): IssueSummary {
  const log = new IssueLog(limit);
  const known = new Set(train.flatMap(({ gold }) => groupsIn(gold)));
  const unseen = dev.flatMap((example) =>
    groupsIn(example.gold).flatMap((label) => (known.has(label) ? [] : [{ label, example }])),
  );
  for (const [label, places] of Map.groupBy(unseen, (place) => place.label)) {
    const { line, input } = places[0]!.example;
    log.add('label_only_in_dev', {
      line,
      message: `the label ${quoted(label)} (${places.length} in the file) is not in the training data and can never be predicted`,
      excerpt: excerptOf(textOf(input)),
      suggestion: 'add training examples of it, correct its spelling, or delete these rows',
      label,
      count: places.length,
    });
  }
  const lines = new Map(train.map(({ input, line }) => [inputKey(input), line]));
  for (const { input, line } of dev) {
    const trainLine = lines.get(inputKey(input));
    if (trainLine === undefined || textOf(input).split(' ').length < TELLING_WORDS) continue;
    log.add('row_in_train', {
      line,
      message: `the sentence is also on line ${trainLine} of the training data; scores on it say little`,
      excerpt: excerptOf(textOf(input)),
      suggestion: 'delete it from one of the two files',
      trainLine,
    });
  }
  return log.summary();
}

function groupsIn(gold: TaggingGold | undefined): string[] {
  if (gold === undefined) return [];
  if (gold.spans !== undefined) return gold.spans.map(({ label }) => label);
  return gold.tags.filter((tag) => tag !== OUTSIDE).map(groupOf);
}
