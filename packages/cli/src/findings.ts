/** What the check of a data file found, as lines for people. */
import { showIssue } from '@polyprompt/tasks';
import type { FileCheck } from '@polyprompt/tuning';
import { plural } from './format.ts';

const SHOWN = 10;

/** The first findings of a severity, with the file's name, and the number of all where there are more. */
export function findings(check: FileCheck, file: string, severity: 'error' | 'warning'): string[] {
  const issues = check.issues.filter((issue) => issue.severity === severity);
  const lines = issues.slice(0, SHOWN).map((issue) => showIssue(issue, file));
  const total = severity === 'error' ? check.errors : check.warnings;
  if (total > lines.length) lines.push(`${file}: ${plural(total, severity)} in all`);
  return lines;
}
