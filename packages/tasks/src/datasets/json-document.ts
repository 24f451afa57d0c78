// Files that are one JSON value: an array of rows, rows under "data", or nested in a manner that the task
// knows (SQuAD). The rows keep the lines of the file that they begin on.

import type { Content } from './content.ts';
import { excerptOf, excerptOfValue } from './issue.ts';
import type { IssueLog } from './issue-log.ts';
import { objectLines } from './json-positions.ts';
import type { Row, Table } from './table.ts';

/** A row inside of a document. */
export interface NestedRow {
  /** Where it is, such as `data[0].paragraphs[2].qas[1]`; empty for the document itself. */
  readonly path: string;
  readonly cells: Readonly<Record<string, unknown>>;
}

/** Finds the rows of a document; what stands in the way goes to `report`. */
export type Expand = (document: unknown, report: ReportNode) => readonly NestedRow[];

/** Says that the node at a path is not what it must be. */
export type ReportNode = (path: string, value: unknown, expected: string) => void;

/** The rows of an array, of an object with an array under `data`, or the object itself as one row. */
export const expandRows: Expand = (document, report) => {
  const [path, list] =
    isObject(document) && 'data' in document ? ['data', document.data] : ['', document];
  if (isObject(list) && path === '') return [{ path, cells: list }];
  if (!Array.isArray(list)) {
    report(path, list, 'an array of rows');
    return [];
  }
  return list.flatMap((cells: unknown, i) => {
    if (isObject(cells)) return [{ path: `${path}[${i}]`, cells }];
    report(`${path}[${i}]`, cells, 'an object');
    return [];
  });
};

/** Reads a file that is one JSON value. Columns are the keys of all the rows. */
export function readJsonDocument(
  { text, badLines }: Content,
  expand: Expand,
  log: IssueLog,
): Table {
  const none: Table = { columns: [], rows: [], headerLine: null };
  if (badLines.size > 0) return none;
  const source = text.toString();
  let document: unknown;
  try {
    document = JSON.parse(source);
  } catch (error) {
    const { message } = error as Error;
    const line = /\(line (\d+) /.exec(message)?.[1];
    log.add('malformed_json', {
      line: line === undefined ? null : Number(line),
      message: `the file is not valid JSON: ${excerptOf(message)}`,
      suggestion: 'write one complete JSON document, or one object per line in a file named .jsonl',
    });
    return none;
  }
  const lines = objectLines(source);
  const found = expand(document, (path, value, expected) => {
    const kind = value === undefined ? 'missing' : Array.isArray(value) ? 'an array' : typeof value;
    log.add('wrong_type', {
      line: lines.get(parentOf(path)) ?? null,
      path,
      message: `${path || 'the document'} is ${value === null ? 'null' : kind}, not ${expected}`,
      ...(value === undefined ? {} : { excerpt: excerptOfValue(value) }),
      suggestion: `write ${expected}`,
    });
  });
  const names = new Set(found.flatMap(({ cells }) => Object.keys(cells)));
  const rows = found.map(({ path, cells }): Row => ({ line: lines.get(path) ?? 1, path, cells }));
  return { columns: [...names].map((name) => ({ name, key: name })), rows, headerLine: null };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object that holds the node. */
function parentOf(path: string): string {
  return path.replace(/(\.|^)[^.]*$/, '');
}
