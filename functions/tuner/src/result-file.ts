/** The result file of a job: its evaluations as CSV. */
import type { JobCheckpoint } from '@polyprompt/registry';

export const RESULT_FILE = 'step_metrics.csv';
export const RESULT_PURPOSE = 'fine-tune-results';

/** One line per evaluation, a column per metric that any of them has. */
export function resultCsv(checkpoints: readonly JobCheckpoint[]): string {
  const names = [...new Set(checkpoints.flatMap(({ metrics }) => Object.keys(metrics)))]
    .filter((name) => name !== 'step')
    .sort();
  const rows = checkpoints.map(({ step, metrics }) => [
    step,
    ...names.map((name) => metrics[name] ?? ''),
  ]);
  return [['step', ...names], ...rows].map((row) => `${row.join(',')}\n`).join('');
}
