// Collects issues while a file is read. A file can have a million of them: all are counted, the first
// of them are kept, and a flood of warnings never displaces an error.

import {
  type DatasetIssue,
  type IssueCode,
  type IssueDetails,
  type IssueFields,
  makeIssue,
} from './issue.ts';

export interface IssueSummary {
  readonly issues: readonly DatasetIssue[];
  readonly counts: Readonly<Partial<Record<IssueCode, number>>>;
  readonly errors: number;
  readonly warnings: number;
}

export class IssueLog {
  readonly #limit: number;
  readonly #kept: Record<'error' | 'warning', DatasetIssue[]> = { error: [], warning: [] };
  readonly #totals = { error: 0, warning: 0 };
  readonly #counts: Partial<Record<IssueCode, number>> = {};

  constructor(limit: number) {
    this.#limit = limit;
  }

  add<Code extends IssueCode>(code: Code, fields: IssueFields & IssueDetails[Code]): void {
    this.take(makeIssue(code, fields));
  }

  take(issue: DatasetIssue): void {
    this.#counts[issue.code] = this.count(issue.code) + 1;
    this.#totals[issue.severity]++;
    const kept = this.#kept[issue.severity];
    if (kept.length < this.#limit) kept.push(issue);
  }

  count(code: IssueCode): number {
    return this.#counts[code] ?? 0;
  }

  get errors(): number {
    return this.#totals.error;
  }

  /** By line, those of the whole file first; errors go before warnings when not all fit. */
  summary(): IssueSummary {
    const issues = [...this.#kept.error, ...this.#kept.warning].slice(0, this.#limit);
    return {
      issues: issues.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
      counts: { ...this.#counts },
      errors: this.#totals.error,
      warnings: this.#totals.warning,
    };
  }
}
