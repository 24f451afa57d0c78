/** How the command line shows a task: what its options mean, what a line of answers and a table hold. */
import type { Aggregation, LabelScore, OffsetUnit, Task, TaskTypes } from '@polyprompt/tasks';

/** The options of `predict` that belong to some tasks and not to others. */
export interface TaskOptions {
  readonly text?: readonly string[];
  readonly textPair?: readonly string[];
  readonly topK?: number;
  readonly aggregation?: Aggregation;
  readonly ignoreLabels?: readonly string[];
  readonly stride?: number;
  readonly offsetUnit?: OffsetUnit;
  readonly question?: readonly string[];
  readonly context?: readonly string[];
  readonly maxAnswerTokens?: number;
  readonly handleImpossible?: boolean;
  readonly nullThreshold?: number;
  /** A limit of every task; of some it is also the length of the windows. */
  readonly maxTokens?: number;
}

/** Those of them that bring inputs, in place of a file. */
export const INPUT_FLAGS = [
  'text',
  'textPair',
  'question',
  'context',
] as const satisfies readonly (keyof TaskOptions)[];

export interface TaskView<T extends TaskTypes> {
  readonly task: Task<T>;
  /** The task's own options; others that are given are refused. */
  readonly flags: readonly (keyof TaskOptions)[];
  /**
   * The inputs that were given as options, as rows of a JSONL file; none if they are in a file.
   * @throws CliError `usage`
   */
  rows(options: TaskOptions): readonly object[];
  /** The options that bring an input like this one, its texts left out. */
  usage(sample: T['input']): string;
  /** Settings of the answers. */
  options(options: TaskOptions): T['options'];
  /** What the line of an answer says, the number of the line aside. */
  line(input: T['input'], answer: T['answer'], options: TaskOptions): object;
  /** The metrics in the table of scores. */
  metrics(evaluation: T['evaluation']): readonly string[];
  /** Labels of the data that the prompt does not know. */
  unknownLabels(evaluation: T['evaluation'], labels: readonly string[]): readonly string[];
  /** What `--truncate` cuts, where that is a part of the input; the whole text has its limit otherwise. */
  readonly cut?: string;
  /** Tables that say more than the metrics. */
  details(title: string, evaluation: T['evaluation']): string;
}

/** Six digits say all that a float32 computation does. */
export function rounded(score: number): number {
  return Number(score.toPrecision(6));
}

export function roundedScores(scores: readonly LabelScore[]): LabelScore[] {
  return scores.map(({ label, score }) => ({ label, score: rounded(score) }));
}
