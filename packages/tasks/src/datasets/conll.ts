// CoNLL: one word per line with its columns, a blank line after each sentence. The word is the first
// column and the tag the last, or the second and the last that says anything where the first counts
// the words; ten columns are CoNLL-U, whose ranges of words (1-2) and empty nodes (8.1) are no words.

import type { Content } from './content.ts';
import { excerptOf } from './issue.ts';
import type { IssueLog } from './issue-log.ts';
import { linesOf } from './lines.ts';
import type { Column, Row, Table } from './table.ts';

const CONLL_U = 'id form lemma upos xpos feats head deprel deps misc'.split(' ');
const SKIPPED_IDS = /^\d+[-.]\d+$/;
const NOTHING = ['-', '_'];

interface Word {
  readonly line: number;
  readonly cells: readonly string[];
}

/** A row per sentence; its cells are the columns, each with one text per word. */
export function readConll(content: Content, log: IssueLog): Table {
  const sentences = readSentences(content, log);
  const width = sentences[0]?.[0]?.cells.length ?? 0;
  const names = columnNames(sentences, width);
  const isConllU = names[0] === 'id' && width === CONLL_U.length;
  const rows = sentences.flatMap((all): Row[] => {
    const ragged = all.filter(({ cells }) => cells.length !== width);
    for (const word of ragged) reportWidth(word, width, log);
    if (ragged.length > 0) return [];
    const words = isConllU ? all.filter(({ cells }) => !SKIPPED_IDS.test(cells[0]!)) : all;
    if (words.length === 0) return [];
    const cells = names.map((_, column) => words.map((word) => word.cells[column]!));
    return [{ line: words[0]!.line, lines: words.map(({ line }) => line), cells }];
  });
  const columns = names.map((name, key): Column => ({ name, key }));
  return { columns, rows, headerLine: null };
}

function readSentences({ text, badLines }: Content, log: IssueLog): Word[][] {
  const sentences: Word[][] = [];
  let sentence: Word[] = [];
  let width = firstWidth(text);
  // A sentence with a line that cannot be read would be another sentence without it.
  let damaged = false;
  const finish = () => {
    if (sentence.length > 0 && !damaged) sentences.push(sentence);
    sentence = [];
    damaged = false;
  };
  for (const { number: line, start, end } of linesOf(text)) {
    if (badLines.has(line)) damaged = true;
    const content = text.toString('utf8', start, end);
    if (/^[ \t]*$/.test(content)) finish();
    else if (!content.startsWith('-DOCSTART-')) {
      const cells = cellsOf(content);
      // In front of the first word a lone `#` begins a comment, however many words that has.
      const isFirst = sentences.length === 0 && /^# /.test(content);
      const expected = isFirst ? undefined : width;
      if (content.startsWith('#') && isComment(content, cells.length, expected, sentence)) continue;
      width ??= cells.length;
      sentence.push({ line, cells });
    }
  }
  finish();
  if (sentences.length === 0 && log.errors === 0) {
    log.add('empty_file', {
      line: null,
      message: 'the file has no words',
      suggestion: 'write one word per line with its tag, and a blank line after each sentence',
    });
  }
  return sentences;
}

/** Of the first line that cannot be a comment; undefined where there is none. */
function firstWidth(text: Buffer): number | undefined {
  for (const { start, end } of linesOf(text)) {
    const content = text.toString('utf8', start, end);
    if (!/^(?:#|-DOCSTART-|[ \t]*$)/.test(content)) return cellsOf(content).length;
  }
  return undefined;
}

function cellsOf(line: string): string[] {
  // Not `trim`: other white space can be a word.
  return line.includes('\t') ? line.split('\t') : line.replace(/^ +| +$/g, '').split(/ +/);
}

/** Comments stand in front of a sentence; but a word can be `#`, too. */
function isComment(
  content: string,
  count: number,
  width: number | undefined,
  sentence: readonly Word[],
): boolean {
  if (sentence.length > 0) return false;
  return count !== width || /^#\s*[\w.-]+\s*=/.test(content);
}

function columnNames(sentences: readonly Word[][], width: number): (string | undefined)[] {
  if (width === CONLL_U.length) return CONLL_U;
  const [first = []] = sentences;
  const isNumbered = width > 2 && first.every(({ cells }, i) => cells[0] === String(i + 1));
  const says = (column: number) =>
    sentences.some((words) => words.some(({ cells }) => !NOTHING.includes(cells[column] ?? '-')));
  let tags = width - 1;
  while (isNumbered && tags > 2 && !says(tags)) tags--;
  const names: (string | undefined)[] = Array.from({ length: width }, () => undefined);
  if (width > 1) names[tags] = 'tags';
  if (width > 0) names[isNumbered ? 1 : 0] = 'tokens';
  return names;
}

function reportWidth({ line, cells }: Word, expected: number, log: IssueLog): void {
  log.add('wrong_column_count', {
    line,
    message: `the line has ${cells.length} column${cells.length === 1 ? '' : 's'} where the first has ${expected}`,
    excerpt: excerptOf(cells.join(' ')),
    suggestion: 'separate the columns of all lines in the same way, and sentences by blank lines',
    count: cells.length,
    expected,
  });
}
