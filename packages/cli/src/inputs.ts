/**
 * Inputs to predict for, from options, files and pipes, all through the validator of the task. JSONL and
 * plain text are read block by block, so their size does not matter; CSV and TSV are read whole.
 */
import { isUtf8 } from 'node:buffer';
import { createReadStream, statSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import {
  type DatasetIssue,
  type Format,
  showIssue,
  type Task,
  type TaskTypes,
} from '@polyprompt/tasks';
import { CliError } from './errors.ts';
import { type LineBlock, lineBlocks } from './lines.ts';

export const INPUT_FORMATS = ['jsonl', 'csv', 'tsv', 'text'] as const;
export type InputFormat = (typeof INPUT_FORMATS)[number];

/** One row: what to predict for, or why that is impossible. */
export type Item<Input> =
  | { readonly line: number; readonly input: Input }
  | { readonly line: number; readonly issue: DatasetIssue };

export interface InputFile {
  /** Path, or `-` for standard input. */
  readonly path: string;
  /** By default from the file name, else from the first character: `{` begins JSONL. */
  readonly format?: InputFormat;
}

const READ_BYTES = 1024 * 1024;
const ROWS_PER_BLOCK = 4096;

/**
 * Rows of a file in blocks; a block never holds much more than was read at once.
 * @throws CliError `no_such_file`, `bad_input` where the file as a whole cannot be used
 */
export async function* readItems<T extends TaskTypes>(
  task: Task<T>,
  { path, format }: InputFile,
  stdin: AsyncIterable<Uint8Array> = process.stdin,
): AsyncGenerator<Item<T['input']>[]> {
  const name = path === '-' ? 'standard input' : path;
  const chunks = path === '-' ? stdin : openFile(path);
  const known = format ?? formatOfName(path);
  let found = 0;
  for await (const items of known === 'csv' || known === 'tsv'
    ? delimitedItems(task, chunks, name, known)
    : streamedItems(task, chunks, name, known)) {
    found += items.length;
    if (items.length > 0) yield items;
  }
  if (found === 0) throw new CliError('bad_input', `${name} is empty; give at least one text`);
}

/** Rows of texts that were given as they are. */
export function textItems<T extends TaskTypes>(
  task: Task<T>,
  texts: readonly string[],
  pairs: readonly string[] = [],
): Item<T['input']>[] {
  const rows = texts.map((text, i) =>
    pairs[i] === undefined ? { text } : { text, text_pair: pairs[i] },
  );
  const bytes = Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n'));
  return parse(task, { bytes, firstLine: 1 }, '--text', 'jsonl');
}

function openFile(path: string): AsyncIterable<Uint8Array> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new CliError('no_such_file', `${path} does not exist`);
  if (stats.isDirectory()) throw new CliError('no_such_file', `${path} is a folder, not a file`);
  const stream = createReadStream(path, { highWaterMark: READ_BYTES });
  if (!path.toLowerCase().endsWith('.gz')) return stream;
  const unzipped = createGunzip({ chunkSize: READ_BYTES });
  stream.on('error', (error) => unzipped.destroy(error));
  return stream.pipe(unzipped);
}

function formatOfName(path: string): InputFormat | undefined {
  const ending = path.toLowerCase().replace(/\.gz$/, '').split('.').at(-1);
  switch (ending) {
    case 'jsonl':
    case 'ndjson':
      return 'jsonl';
    case 'csv':
      return 'csv';
    case 'tsv':
    case 'tab':
      return 'tsv';
    case 'txt':
      return 'text';
    default:
      return undefined;
  }
}

async function* delimitedItems<T extends TaskTypes>(
  task: Task<T>,
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  format: Format,
): AsyncGenerator<Item<T['input']>[]> {
  const items = parse(task, { bytes: await buffer(chunks), firstLine: 1 }, name, format);
  for (let at = 0; at < items.length; at += ROWS_PER_BLOCK) {
    yield items.slice(at, at + ROWS_PER_BLOCK);
  }
}

async function* streamedItems<T extends TaskTypes>(
  task: Task<T>,
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  format: InputFormat | undefined,
): AsyncGenerator<Item<T['input']>[]> {
  let plain = format === undefined ? undefined : format === 'text';
  for await (const block of lineBlocks(chunks, name)) {
    plain ??= !/^\uFEFF?\s*\{/.test(block.bytes.toString('utf8', 0, 4096));
    const rows = plain ? { ...block, bytes: asJsonLines(block.bytes) } : block;
    yield parse(task, rows, name, 'jsonl');
  }
}

/** One text per line as one object per line; what is not UTF-8 stays as it is, for the validator to find. */
function asJsonLines(bytes: Buffer): Buffer {
  const rows: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf('\n', start);
    const end = feed < 0 ? bytes.length : feed;
    rows.push(asJsonLine(bytes.subarray(start, end)), Buffer.from('\n'));
    start = end + 1;
  }
  return Buffer.concat(rows);
}

function asJsonLine(line: Buffer): Buffer {
  if (!isUtf8(line)) return line;
  const text = line
    .toString()
    .replace(/^\uFEFF/, '')
    .trim();
  return text === '' ? line : Buffer.from(JSON.stringify({ text }));
}

function parse<T extends TaskTypes>(
  task: Task<T>,
  { bytes, firstLine }: LineBlock,
  name: string,
  format: Format,
): Item<T['input']>[] {
  const { examples, issues } = task.parse(
    { name, bytes },
    { purpose: 'predict', format, limits: { issues: Number.POSITIVE_INFINITY } },
  );
  const items = new Map<number, Item<T['input']>>();
  for (const issue of issues) {
    // A block of blank lines is no problem.
    if (issue.severity === 'warning' || issue.code === 'empty_file') continue;
    if (issue.line === null) throw new CliError('bad_input', showIssue(issue, name));
    const line = issue.line + firstLine - 1;
    if (!items.has(line)) items.set(line, { line, issue: inBlock(issue) });
  }
  for (const { line, input } of examples) {
    items.set(line + firstLine - 1, { line: line + firstLine - 1, input });
  }
  return [...items.values()].sort((a, b) => a.line - b.line);
}

/** The validator counts bytes from the beginning of what it was given. */
function inBlock(issue: DatasetIssue): DatasetIssue {
  return issue.code === 'invalid_utf8' ? { ...issue, message: 'the line is not UTF-8' } : issue;
}
