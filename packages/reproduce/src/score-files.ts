/** Scores of one prompt on test files, by language. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Example, showIssue, type Task, type TaskTypes } from '@polyprompt/tasks';
import { answerInputs, type PromptInUse, permutation, randomStream } from '@polyprompt/tuning';
import { ReproduceError } from './errors.ts';

type AnyTask = Task<TaskTypes>;
type AnyExample = Example<unknown, unknown>;

export interface LanguageScore {
  /** The compared metric in percent. */
  readonly score: number;
  /** All metrics of the task, as it gives them. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly examples: number;
}

/**
 * The examples of a test file, at most `limit` of them, always the same ones.
 * @throws ReproduceError `no_data` when the file has errors
 */
export function readTest(task: AnyTask, path: string, limit: number | null): AnyExample[] {
  const source = { name: basename(path), bytes: readFileSync(path) };
  const report = task.parse(source, { purpose: 'evaluate' });
  if (!report.valid) {
    const errors = report.issues.filter(({ severity }) => severity === 'error');
    throw new ReproduceError('no_data', errors.map((issue) => showIssue(issue, path)).join('\n'));
  }
  const { examples } = report;
  if (limit === null || examples.length <= limit) return [...examples];
  const order = permutation(examples.length, randomStream(0, 'test'));
  const chosen = new Set(order.slice(0, limit));
  return examples.filter((_, i) => chosen.has(i));
}

/** @param metric entry of the task's metrics, as a share */
export async function scoreExamples(
  used: PromptInUse,
  task: AnyTask,
  examples: readonly AnyExample[],
  metric: string,
): Promise<LanguageScore> {
  const inputs = examples.map(({ input }) => input);
  const outcomes = await answerInputs(used, task, inputs, { truncate: true });
  const answers = outcomes.map(({ answer }) => answer);
  const { metrics } = task.evaluate(examples, answers, used.prompt.labels);
  const value = metrics[metric];
  if (value === undefined) {
    const known = Object.keys(metrics).join(', ');
    throw new ReproduceError(
      'bad_option',
      `${task.name} has no metric "${metric}"; it has ${known}`,
    );
  }
  return { score: 100 * value, metrics, examples: examples.length };
}
