import type { DatasetIssue } from './issue.ts';

/** One issue as a line for people: where, what, which text, what to do. */
export function showIssue(issue: DatasetIssue, file?: string): string {
  const { line, severity, code, message, excerpt, suggestion } = issue;
  const where = [file, line === null ? undefined : `line ${line}`].filter(Boolean).join(', ');
  const text = excerpt === undefined ? '' : ` (${excerpt})`;
  const advice = suggestion === undefined ? '' : `; ${suggestion}`;
  return `${where ? `${where}: ` : ''}${severity}: ${message}${text}${advice} [${code}]`;
}
