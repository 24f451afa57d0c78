// The part of reading a dataset that is the same for every task: bytes to rows with known columns.

import { createHash } from 'node:crypto';
import { TaskError } from '../errors.ts';
import { type ColumnRole, findColumns } from './columns.ts';
import { readContent } from './content.ts';
import { type Format, formatOf } from './format.ts';
import type { IssueLog } from './issue-log.ts';
import type { Expand } from './json-document.ts';
import type { DatasetLimits } from './limits.ts';
import type { ColumnChoice, DatasetReport, DatasetSource, ParseOptions } from './report.ts';
import { type Column, type Row, readTable } from './table.ts';

export interface Rows<Role extends string> {
  readonly rows: readonly Row[];
  /** Of every required role, and of the others that the file has. */
  readonly columns: ReadonlyMap<Role, Column>;
  readonly about: Pick<DatasetReport<never>, 'name' | 'hash' | 'bytes' | 'format' | 'columns'>;
}

/**
 * Reads the rows of a file and finds its columns. Whatever stands in the way is in the log, and there
 * are no rows then.
 * @param expand finds the rows of a JSON document, where it is more than an array of them
 * @param lines what files of lines are that are not JSON: delimited unless given
 * @throws TaskError `bad_option` for a column choice of a role that there is not
 */
export function readRows<Role extends string>(
  { name, bytes }: DatasetSource,
  roles: readonly ColumnRole<Role>[],
  options: ParseOptions,
  limits: DatasetLimits,
  log: IssueLog,
  expand?: Expand,
  lines?: 'conll',
): Rows<Role> {
  const choices = options.columns ?? {};
  assertRoles(choices, roles);
  const hash = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const none = (format?: Format): Rows<Role> => ({
    rows: [],
    columns: new Map(),
    about: { name, hash, bytes: bytes.length, format, columns: {} },
  });

  const content = readContent(bytes, limits.fileBytes, log);
  if (content === undefined) return none();
  const guess = options.format ?? formatOf(name, content.text);
  const format = lines !== undefined && !guess.startsWith('json') ? lines : guess;
  const header = options.header ?? !areIndices(choices);
  const table = readTable(content, format, { header }, log, expand);
  if (table.columns.length === 0 || (table.rows.length === 0 && log.errors === 0)) {
    if (log.errors === 0) reportNoRows(log);
    return none(format);
  }
  const columns = findColumns(table, roles, choices, log);
  if (columns === undefined) return none(format);
  const used = [...columns].map(([role, { name, key }]) => [role, name ?? key] as const);
  const about = { ...none(format).about, columns: Object.fromEntries(used) };
  return { rows: table.rows, columns, about };
}

function reportNoRows(log: IssueLog): void {
  log.add('empty_file', {
    line: null,
    message: 'the file has a header line and no rows',
    suggestion: 'check that the right file was given and that writing it had finished',
  });
}

function areIndices(choices: Readonly<Record<string, ColumnChoice>>): boolean {
  const chosen = Object.values(choices).filter((choice) => choice !== null);
  return chosen.length > 0 && chosen.every((choice) => typeof choice === 'number');
}

function assertRoles(
  choices: Readonly<Record<string, ColumnChoice>>,
  roles: readonly ColumnRole<string>[],
): void {
  const known = roles.map(({ role }) => role);
  for (const role of Object.keys(choices)) {
    if (known.includes(role)) continue;
    throw new TaskError(
      'bad_option',
      `columns.${role}: there is no such column role; choose from ${known.join(', ')}`,
    );
  }
}
