/**
 * Inputs to predict for, from options, files and pipes, all through the validator of the task. JSONL and
 * plain text are read row by row, so their size does not matter; other formats are read whole.
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
import { lineBlocks, linesOf } from './lines.ts';

export const INPUT_FORMATS = ['jsonl', 'json', 'csv', 'tsv', 'conll', 'text'] as const;
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

// A compromise: little padding after sorting, yet answers appear within seconds.
const READ_BYTES = 128 * 1024;
const ROWS_PER_BLOCK = 4096;
const OPENING_BRACE = 0x7b;

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
  for await (const items of known === undefined || known === 'jsonl' || known === 'text'
    ? streamedItems(task, chunks, name, known)
    : wholeItems(task, chunks, name, known)) {
    found += items.length;
    if (items.length > 0) yield items;
  }
  if (found === 0) throw new CliError('bad_input', `${name} is empty; give at least one text`);
}

/** Rows that were given as options, in the form that they would have in a file. */
export function givenItems<T extends TaskTypes>(
  task: Task<T>,
  rows: readonly object[],
): Item<T['input']>[] {
  return rows.map((row, i) => rowItem(task, Buffer.from(JSON.stringify(row)), i + 1));
}

function openFile(path: string): AsyncIterable<Uint8Array> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new CliError('no_such_file', `${path} does not exist`);
  if (stats.isDirectory()) throw new CliError('no_such_file', `${path} is a folder, not a file`);
  const stream = createReadStream(path, { highWaterMark: READ_BYTES });
  if (!path.toLowerCase().endsWith('.gz')) return stream;
  const unzipped = createGunzip({ chunkSize: READ_BYTES });
  stream.on('error', (error) => unzipped.destroy(error));
  return soundly(stream.pipe(unzipped), path);
}

async function* soundly(chunks: AsyncIterable<Uint8Array>, path: string) {
  try {
    yield* chunks;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (!code?.startsWith('Z_')) throw cause;
    throw new CliError(
      'bad_input',
      `${path} cannot be decompressed: ${message}; compress it again with gzip`,
      { cause },
    );
  }
}

function formatOfName(path: string): InputFormat | undefined {
  const ending = path.toLowerCase().replace(/\.gz$/, '').split('.').at(-1);
  switch (ending) {
    case 'jsonl':
    case 'ndjson':
      return 'jsonl';
    case 'json':
      return 'json';
    case 'csv':
      return 'csv';
    case 'tsv':
    case 'tab':
      return 'tsv';
    case 'conll':
    case 'conllu':
    case 'bio':
    case 'iob':
    case 'iob2':
      return 'conll';
    case 'txt':
      return 'text';
    default:
      return undefined;
  }
}

async function* wholeItems<T extends TaskTypes>(
  task: Task<T>,
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  format: Format,
): AsyncGenerator<Item<T['input']>[]> {
  const { examples, issues } = parse(task, await buffer(chunks), format);
  const items: Item<T['input']>[] = examples.map(({ line, input }) => ({ line, input }));
  const lines = new Set<number>();
  for (const issue of issues) {
    if (issue.line === null) throw new CliError('bad_input', showIssue(issue, name));
    // Many rows of a document may begin on one line.
    if (lines.has(issue.line) && format !== 'json') continue;
    lines.add(issue.line);
    items.push({ line: issue.line, issue });
  }
  const sorted = items.sort((a, b) => a.line - b.line);
  for (let at = 0; at < sorted.length; at += ROWS_PER_BLOCK) {
    yield sorted.slice(at, at + ROWS_PER_BLOCK);
  }
}

async function* streamedItems<T extends TaskTypes>(
  task: Task<T>,
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  format: InputFormat | undefined,
): AsyncGenerator<Item<T['input']>[]> {
  let plain = format === undefined ? undefined : format === 'text';
  let isFirst = true;
  for await (const block of lineBlocks(chunks, name)) {
    const items: Item<T['input']>[] = [];
    for (const { bytes, line } of linesOf(block)) {
      plain ??= bytes[0] !== OPENING_BRACE;
      const item = rowItem(task, plain ? asJsonLine(bytes) : bytes, line);
      // What is wrong with the columns of the first row is wrong with all.
      if (isFirst && 'issue' in item && item.issue.line === null) {
        throw new CliError('bad_input', showIssue(item.issue, name));
      }
      isFirst = false;
      items.push(item);
    }
    yield items;
  }
}

/** A plain text as JSON; what is not UTF-8 stays as it is, for the validator to find. */
function asJsonLine(line: Buffer): Buffer {
  return isUtf8(line) ? Buffer.from(JSON.stringify({ text: line.toString() })) : line;
}

/** One row for itself, so that nothing depends on which rows happened to be read together. */
function rowItem<T extends TaskTypes>(task: Task<T>, row: Buffer, line: number): Item<T['input']> {
  const { examples, issues } = parse(task, row, 'jsonl');
  const [example] = examples;
  if (example !== undefined) return { line, input: example.input };
  const issue = issues[0]!;
  // The validator counts bytes from the beginning of what it was given.
  const message = issue.code === 'invalid_utf8' ? 'the line is not UTF-8' : issue.message;
  return { line, issue: { ...issue, message, line: issue.line === null ? null : line } };
}

function parse<T extends TaskTypes>(task: Task<T>, bytes: Buffer, format: Format) {
  const limits = { issues: Number.POSITIVE_INFINITY };
  // JSON lines are often called .json, too: the validator tells them apart.
  const isJson = format === 'json';
  const report = task.parse(
    { name: isJson ? 'rows.json' : '', bytes },
    { purpose: 'predict', limits, ...(isJson ? {} : { format }) },
  );
  return {
    examples: report.examples,
    issues: report.issues.filter(({ severity }) => severity === 'error'),
  };
}
