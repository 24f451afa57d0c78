import type { Content } from './content.ts';
import { excerptOf } from './issue.ts';
import type { IssueLog } from './issue-log.ts';
import { linesOf } from './lines.ts';
import type { Row, Table } from './table.ts';

/** Reads one JSON object per line; blank lines are skipped. Columns are the keys of all the rows. */
export function readJsonLines({ text, badLines }: Content, log: IssueLog): Table {
  const names = new Set<string>();
  const rows: Row[] = [];
  for (const { number, start, end } of linesOf(text)) {
    if (badLines.has(number)) continue;
    const line = text.toString('utf8', start, end);
    if (line.trim() === '') continue;
    const row = parseObject(line);
    if (typeof row === 'string') {
      log.add('malformed_json', {
        line: number,
        message: row,
        excerpt: excerptOf(line),
        suggestion: suggest(line),
      });
      continue;
    }
    for (const name of Object.keys(row)) names.add(name);
    rows.push({ line: number, cells: row });
  }
  const columns = [...names].map((name) => ({ name, key: name }));
  return { columns, rows, headerLine: null };
}

/** The object, or what is wrong. */
function parseObject(line: string): Record<string, unknown> | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return `the line is not valid JSON: ${excerptOf((error as Error).message)}`;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  const kind = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
  return `the line is ${kind}, not an object`;
}

function suggest(line: string): string {
  return /^\s*[[\]]/.test(line)
    ? 'write one object per line instead of one array: jq -c ".[]" FILE'
    : 'write one complete object per line, such as {"text": "...", "label": "..."}';
}
