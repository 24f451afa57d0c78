/** What the full check of one data file found, as plain values: it travels in an event. */
import { DATASET_LIMITS, type DatasetIssue, type DatasetReport } from '@polyprompt/tasks';

export interface FileCheck {
  readonly role: 'train' | 'dev';
  /** Whether there are no errors. */
  readonly valid: boolean;
  /** Usable examples. */
  readonly examples: number;
  /** Examples per label and per language. */
  readonly labels: Readonly<Record<string, number>>;
  readonly languages: Readonly<Record<string, number>>;
  /** Numbers of problems; `issues` lists the first of them. */
  readonly errors: number;
  readonly warnings: number;
  /** By line, those of the whole file first. */
  readonly issues: readonly DatasetIssue[];
}

/** Joins what reading the file found with what came up later: other splits, lengths in tokens. */
export function fileCheck(
  role: FileCheck['role'],
  report: DatasetReport<unknown>,
  later: readonly DatasetIssue[],
): FileCheck {
  const laterErrors = later.filter(({ severity }) => severity === 'error').length;
  const errors = report.errors + laterErrors;
  return {
    role,
    valid: errors === 0,
    examples: report.examples.length,
    labels: report.labels,
    languages: report.languages,
    errors,
    warnings: report.warnings + later.length - laterErrors,
    issues: first([...report.issues, ...later]),
  };
}

/** As many as a report lists; a flood of warnings never displaces an error. */
function first(issues: readonly DatasetIssue[]): DatasetIssue[] {
  const byLine = (a: DatasetIssue, b: DatasetIssue) => (a.line ?? 0) - (b.line ?? 0);
  const { error = [], warning = [] } = Object.groupBy(issues, ({ severity }) => severity);
  return [...error.sort(byLine), ...warning.sort(byLine)]
    .slice(0, DATASET_LIMITS.issues)
    .sort(byLine);
}
