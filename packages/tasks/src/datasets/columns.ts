// Which column of a file plays which role. Real files have names of their own; the usual ones are
// listed here, and the report says which were taken.

import { excerptOf } from './issue.ts';
import type { IssueLog } from './issue-log.ts';
import type { ColumnChoice } from './report.ts';
import type { Column, Table } from './table.ts';

export interface ColumnRole<Role extends string> {
  readonly role: Role;
  /** Accepted names in lower case; the first wins over the others. */
  readonly names: readonly string[];
  readonly required: boolean;
}

/** Finds the column of each role; undefined if a required one is missing or unclear (reported). */
export function findColumns<Role extends string>(
  table: Table,
  roles: readonly ColumnRole<Role>[],
  choices: Readonly<Record<string, ColumnChoice>>,
  log: IssueLog,
): ReadonlyMap<Role, Column> | undefined {
  const found = new Map<Role, Column>();
  const errorsBefore = log.errors;
  const missing: ColumnRole<Role>[] = [];
  for (const role of roles) {
    const candidates = candidatesFor(role, table.columns, choices[role.role]);
    if (candidates.length > 1) {
      const names = candidates.map(nameOf);
      log.add('ambiguous_column', {
        line: table.headerLine,
        path: names[0]!,
        message: `more than one column could be the ${role.role}: ${names.join(', ')}`,
        suggestion: `rename the right one to "${role.names[0]}" (code may choose it: columns.${role.role} = "${names[0]}")`,
        columns: names,
      });
    } else if (candidates[0] !== undefined) {
      found.set(role.role, candidates[0]);
    } else if (role.required || (choices[role.role] ?? null) !== null) {
      missing.push(role);
    }
  }
  reportMissing(table, missing, found.size, choices, log);
  return log.errors === errorsBefore ? found : undefined;
}

/** How a column is called in reports. */
function nameOf(column: Column): string {
  return column.name ?? `column ${column.key}`;
}

function candidatesFor(
  { names }: ColumnRole<string>,
  columns: readonly Column[],
  choice: ColumnChoice | undefined,
): readonly Column[] {
  if (choice === null) return [];
  if (typeof choice === 'number') return columns.filter(({ key }) => key === choice);
  if (choice !== undefined) return columns.filter(({ name }) => name === choice);
  const named = columns.filter(({ name }) => names.includes(normalise(name)));
  const usual = named.filter(({ name }) => normalise(name) === names[0]);
  return usual.length > 0 ? usual : named;
}

function normalise(name: string | undefined): string {
  return name?.trim().toLowerCase() ?? '';
}

const MOST_LISTED = 20;

function reportMissing(
  table: Table,
  missing: readonly ColumnRole<string>[],
  found: number,
  choices: Readonly<Record<string, ColumnChoice>>,
  log: IssueLog,
): void {
  if (missing.length === 0) return;
  // A file of another kind can have thousands of "columns", or one as long as the file.
  const columns = table.columns.slice(0, MOST_LISTED).map((column) => excerptOf(nameOf(column)));
  const hidden = table.columns.length - columns.length;
  const list = `${columns.map((name) => JSON.stringify(name)).join(', ')}${hidden > 0 ? ` and ${hidden} more` : ''}`;
  const unchosen = missing.every(({ role }) => choices[role] === undefined);
  if (table.headerLine !== null && found === 0 && unchosen) {
    log.add('no_header', {
      line: table.headerLine,
      message: `the first line names no known column: ${list}`,
      suggestion: `add a header line such as "text,label" (code may choose columns: ${example(missing, 'index')} if there is no header, ${example(missing, 'name')} if there is)`,
      columns,
    });
    return;
  }
  for (const { role, names } of missing) {
    const choice = choices[role] ?? undefined;
    const wanted =
      choice === undefined ? `column for the ${role}` : `column ${JSON.stringify(choice)}`;
    log.add('missing_column', {
      line: table.headerLine,
      path: String(choice ?? names[0]),
      message: `there is no ${wanted}; the file has ${list || 'none at all'}`,
      suggestion: `rename a column to "${names[0]}" (code may choose one: columns.${role})`,
      columns,
    });
  }
}

function example(missing: readonly ColumnRole<string>[], kind: 'index' | 'name'): string {
  const pairs = missing.map(({ role }, i) => `${role}: ${kind === 'index' ? i : '"..."'}`);
  return `columns {${pairs.join(', ')}}`;
}
