// The common form of all formats: named columns and rows of cells.

import { readConll } from './conll.ts';
import type { Content } from './content.ts';
import { type DelimitedOptions, readDelimited } from './delimited.ts';
import type { Format } from './format.ts';
import type { IssueLog } from './issue-log.ts';
import { type Expand, expandRows, readJsonDocument } from './json-document.ts';
import { readJsonLines } from './json-lines.ts';

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** Line of the header, where there is one. */
  readonly headerLine: number | null;
}

export interface Column {
  /** Undefined in a file without header line. */
  readonly name: string | undefined;
  readonly key: string | number;
}

export interface Row {
  /** Line of the file that the row begins on. */
  readonly line: number;
  /** In a CoNLL file, the line of each word. */
  readonly lines?: readonly number[];
  /** Where the row is in a JSON document, such as `data[3]`. */
  readonly path?: string;
  readonly cells: readonly unknown[] | Readonly<Record<string, unknown>>;
}

/**
 * Reads the rows of a file; what cannot be read is reported and left out.
 * @param expand finds the rows of a JSON document
 */
export function readTable(
  content: Content,
  format: Format,
  options: DelimitedOptions,
  log: IssueLog,
  expand: Expand = expandRows,
): Table {
  switch (format) {
    case 'jsonl':
      return readJsonLines(content, log);
    case 'conll':
      return readConll(content, log);
    case 'json':
      return readJsonDocument(content, expand, log);
    default:
      return readDelimited(content, format, options, log);
  }
}

export function cellOf(row: Row, key: string | number): unknown {
  return Object.hasOwn(row.cells, key) ? (row.cells as Record<string, unknown>)[key] : undefined;
}
