// CSV and TSV, read by csv-parse. CSV is read strictly as RFC 4180 says: a lenient reader would let one
// stray quote swallow the rows after it. A record that breaks the rules is reported and reading goes on
// with the next line.

import { type CsvError, type InfoRecord, parse } from 'csv-parse/sync';
import type { Content } from './content.ts';
import type { Format } from './format.ts';
import { excerptOf } from './issue.ts';
import type { IssueLog } from './issue-log.ts';
import { CARRIAGE_RETURN, LINE_FEED } from './lines.ts';
import type { Table } from './table.ts';

export interface DelimitedOptions {
  /** Whether the first record names the columns. */
  readonly header: boolean;
}

interface CsvRecord {
  readonly line: number;
  readonly lastLine: number;
  readonly cells: readonly string[];
}

/** Reads delimited text; all records must have as many cells as the first. */
export function readDelimited(
  content: Content,
  format: Exclude<Format, 'jsonl'>,
  options: DelimitedOptions,
  log: IssueLog,
): Table {
  const records =
    format === 'tsv'
      ? readTabs(content.text, log)
      : readRecords(content.text, delimiterOf(content.text), log);
  const [first, ...others] = records;
  if (first === undefined) return { columns: [], rows: [], headerLine: null };
  const columns = first.cells.map((name, key) => ({
    name: options.header ? name : undefined,
    key,
  }));
  const headerLine = options.header ? first.line : null;
  const rows = (options.header ? others : records).filter((record) =>
    isWhole(record, columns.length, content.badLines, log),
  );
  return { columns, rows, headerLine };
}

function isWhole(
  { line, lastLine, cells }: CsvRecord,
  expected: number,
  badLines: ReadonlySet<number>,
  log: IssueLog,
): boolean {
  for (let number = line; badLines.size > 0 && number <= lastLine; number++) {
    if (badLines.has(number)) return false;
  }
  if (cells.length === expected) return true;
  log.add('wrong_column_count', {
    line,
    message: `the row has ${plural(cells.length, 'column')} where the first row has ${expected}`,
    excerpt: excerptOf(cells.join(' | ')),
    suggestion:
      cells.length > expected
        ? 'put a text that contains the delimiter in double quotes'
        : 'add the missing cells, or put a text that contains a line break in double quotes',
    count: cells.length,
    expected,
  });
  return false;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const DELIMITERS = [',', ';', '\t'] as const;

/** The delimiter that splits the first line with content most often, quoted parts aside; the comma if none does. */
function delimiterOf(text: Buffer): string {
  const { position } = skipBlankLines(text, { position: 0, line: 1 });
  const end = text.indexOf('\n', position);
  const line = text.toString('utf8', position, end < 0 ? text.length : end).replace(/"[^"]*"/g, '');
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))]!;
}

/**
 * TSV comes in two dialects: quoted like CSV, or with quotes as ordinary characters. A file is taken for
 * quoted if that reading is free of errors and of cells that span both lines and tabs: those are what an
 * ordinary quote would make.
 */
function readTabs(text: Buffer, log: IssueLog): CsvRecord[] {
  const { records, failure } = parseUntilFailure(text, { delimiter: '\t' });
  const spans = (cell: string) => cell.includes('\n') && cell.includes('\t');
  if (failure === undefined && !records.some(({ cells }) => cells.some(spans))) return records;
  return readRecords(text, '\t', log, null);
}

function readRecords(
  text: Buffer,
  delimiter: string,
  log: IssueLog,
  quote: string | null = '"',
): CsvRecord[] {
  const all: CsvRecord[] = [];
  let offset = 0;
  let line = 1;
  while (offset < text.length) {
    const { records, failure } = parseUntilFailure(
      text.subarray(offset),
      { delimiter, quote },
      line,
    );
    for (const record of records) all.push(record);
    if (failure === undefined) break;
    const bad = text.toString('utf8', offset + failure.start, offset + failure.end);
    log.add('malformed_csv', {
      line: failure.line,
      message: `the row cannot be read: ${failure.reason}`,
      excerpt: excerptOf(bad),
      suggestion: 'put a cell with quotes in double quotes and write each of the inner ones twice',
    });
    offset += failure.end + 1;
    line = failure.line + 1;
    // Each attempt may read to the end of the file.
    if (log.count('malformed_csv') >= MOST_FAILURES) {
      log.add('malformed_csv', {
        line,
        message: `the file is read no further after ${MOST_FAILURES} rows that cannot be read`,
        suggestion: 'check the format: CSV, TSV and JSONL are told apart by the ending of the name',
      });
      break;
    }
  }
  return all;
}

const MOST_FAILURES = 100;

interface Failure {
  /** Byte range of the line that the bad record begins on. */
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly reason: string;
}

function parseUntilFailure(
  text: Buffer,
  dialect: { delimiter: string; quote?: string | null },
  firstLine = 1,
): { records: CsvRecord[]; failure?: Failure } {
  const records: CsvRecord[] = [];
  let next = skipBlankLines(text, { position: 0, line: firstLine });
  try {
    parse(text, {
      ...dialect,
      record_delimiter: ['\r\n', '\n'],
      relax_column_count: true,
      skip_empty_lines: true,
      on_record: (cells: string[], info: InfoRecord & { bytes: number }) => {
        // Lines are counted here since the parser counts CR LF inside of quotes as two.
        const { line } = next;
        const end = {
          position: info.bytes,
          line: line + countLineFeeds(text, next.position, info.bytes),
        };
        const lastLine = text[info.bytes - 1] === LINE_FEED ? end.line - 1 : end.line;
        records.push({ line, lastLine, cells });
        next = skipBlankLines(text, end);
        return null;
      },
    });
    return { records };
  } catch (error) {
    const feed = text.indexOf(LINE_FEED, next.position);
    return {
      records,
      failure: {
        start: next.position,
        end: feed < 0 ? text.length : feed,
        line: next.line,
        reason: REASONS[(error as CsvError).code] ?? (error as Error).message,
      },
    };
  }
}

interface Place {
  readonly position: number;
  readonly line: number;
}

function skipBlankLines(text: Buffer, { position, line }: Place): Place {
  for (;;) {
    const feed = text[position] === CARRIAGE_RETURN ? position + 1 : position;
    if (text[feed] !== LINE_FEED) return { position, line };
    position = feed + 1;
    line++;
  }
}

function countLineFeeds(text: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = text.indexOf(LINE_FEED, start); at >= 0 && at < end; count++) {
    at = text.indexOf(LINE_FEED, at + 1);
  }
  return count;
}

const REASONS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened and never closed',
  CSV_INVALID_CLOSING_QUOTE: 'text follows a closing quote',
  INVALID_OPENING_QUOTE: 'a quote stands inside a cell that does not begin with one',
};
