import { byCodePoint } from '../datasets/report.ts';
import { TaskError } from '../errors.ts';
import { type ClassificationScores, scorePairs } from '../metrics/classification.ts';
import type { Evaluation } from '../task.ts';
import type { LabelScore, TextExample } from './types.ts';

export interface ClassificationEvaluation extends Evaluation, ClassificationScores {
  readonly metrics: ClassificationScores['metrics'];
  readonly languages: Readonly<Record<string, ClassificationScores>>;
}

/**
 * Compares the best label of each answer with the gold label, overall and per language. A gold label
 * that is not among `labels` joins them at the end; every example that has it counts as wrong.
 * @throws TaskError `length_mismatch`, `unknown_label`
 */
export function evaluateTexts(
  examples: readonly TextExample[],
  answers: readonly (readonly LabelScore[])[],
  labels: readonly string[],
): ClassificationEvaluation {
  if (examples.length !== answers.length) {
    throw new TaskError(
      'length_mismatch',
      `${answers.length} answers for ${examples.length} examples`,
    );
  }
  const all = withUnknown(examples, labels);
  const indices = new Map(all.map((label, index) => [label, index]));
  const scored = examples.map(({ gold, language, line }, i) => ({
    language,
    pair: [
      indexOf(indices, gold, `the example of line ${line}`),
      indexOf(indices, answers[i]![0]?.label, `the answer for line ${line}`),
    ] as const,
  }));
  const scoreGroup = (group: readonly (typeof scored)[number][]) =>
    scorePairs(
      group.map(({ pair }) => pair),
      all,
    );
  const groups = Map.groupBy(scored, ({ language }) => language);
  const tags = [...groups.keys()].filter((tag) => tag !== undefined).sort(byCodePoint);
  return {
    ...scoreGroup(scored),
    languages: Object.fromEntries(tags.map((tag) => [tag, scoreGroup(groups.get(tag)!)])),
  };
}

function withUnknown(examples: readonly TextExample[], labels: readonly string[]): string[] {
  const known = new Set(labels);
  const unknown = new Set<string>();
  for (const { gold } of examples) {
    if (gold !== undefined && !known.has(gold)) unknown.add(gold);
  }
  return [...labels, ...[...unknown].sort(byCodePoint)];
}

function indexOf(
  indices: ReadonlyMap<string, number>,
  label: string | undefined,
  owner: string,
): number {
  const index = label === undefined ? undefined : indices.get(label);
  if (index === undefined) {
    throw new TaskError(
      'unknown_label',
      `${owner} has ${label === undefined ? 'no label' : `the unknown label "${label}"`}`,
    );
  }
  return index;
}
