// Rows to examples, each cell checked; then the checks that need all examples at once.

import type { ColumnRole } from '../datasets/columns.ts';
import { excerptOf, excerptOfValue, quoted } from '../datasets/issue.ts';
import { IssueLog } from '../datasets/issue-log.ts';
import { checkLanguages } from '../datasets/language.ts';
import { DATASET_LIMITS, type DatasetLimits } from '../datasets/limits.ts';
import { readRows } from '../datasets/read.ts';
import {
  type DatasetReport,
  type DatasetSource,
  increment,
  type ParseOptions,
  toRecord,
} from '../datasets/report.ts';
import { type Column, cellOf, type Row } from '../datasets/table.ts';
import { checkLabels } from './check-labels.ts';
import { checkRepeats } from './check-repeats.ts';
import type { TextExample } from './types.ts';

type Role = 'text' | 'textPair' | 'label' | 'language';

const rolesFor = (labelled: boolean): readonly ColumnRole<Role>[] => [
  {
    role: 'text',
    names: ['text', 'sentence', 'sentence1', 'premise', 'question1', 'review', 'utterance'],
    required: true,
  },
  {
    role: 'textPair',
    names: ['text_pair', 'sentence2', 'hypothesis', 'question2'],
    required: false,
  },
  {
    role: 'label',
    names: ['label', 'category', 'class', 'intent', 'sentiment', 'topic'],
    required: labelled,
  },
  { role: 'language', names: ['language', 'lang', 'locale'], required: false },
];

/**
 * Reads a file of labelled texts or pairs and checks everything in it. Bad data never throws.
 * @throws TaskError `bad_option`
 */
export function parseTexts(
  source: DatasetSource,
  options: ParseOptions = {},
): DatasetReport<TextExample> {
  const purpose = options.purpose ?? 'train';
  const labelled = purpose !== 'predict';
  const limits = { ...DATASET_LIMITS, ...options.limits };
  const log = new IssueLog(limits.issues);
  const { rows, columns, about } = readRows(
    source,
    rolesFor(labelled),
    // What stands in the place of labels that nobody asks for need not be any.
    labelled ? options : { ...options, columns: { label: null, ...options.columns } },
    limits,
    log,
  );

  const reader = new RowReader(columns, options.language, limits, log);
  const examples = rows.map((row) => reader.read(row)).filter((example) => example !== undefined);
  const labels = new Map<string, number>();
  const languages = new Map<string, number>();
  for (const { gold, language } of examples) {
    if (gold !== undefined) increment(labels, gold);
    if (language !== undefined) increment(languages, language);
  }
  checkRepeats(examples, log);
  checkLanguages(examples, columns.get('language')?.name, log);
  if (purpose === 'train' && examples.length > 0) checkLabels(labels, limits, log);

  const summary = log.summary();
  return {
    ...about,
    ...summary,
    valid: summary.errors === 0,
    examples,
    labels: toRecord(labels),
    languages: toRecord(languages),
  };
}

class RowReader {
  readonly #columns: ReadonlyMap<Role, Column>;
  readonly #defaultLanguage: string | undefined;
  readonly #limits: DatasetLimits;
  readonly #log: IssueLog;

  constructor(
    columns: ReadonlyMap<Role, Column>,
    defaultLanguage: string | undefined,
    limits: DatasetLimits,
    log: IssueLog,
  ) {
    this.#columns = columns;
    this.#defaultLanguage = defaultLanguage;
    this.#limits = limits;
    this.#log = log;
  }

  /** The example of a row; undefined if anything in it is wrong. All its problems are reported. */
  read(row: Row): TextExample | undefined {
    const errorsBefore = this.#log.errors;
    const text = this.#text(row, 'text');
    const textPair = this.#columns.has('textPair') ? this.#text(row, 'textPair') : undefined;
    const gold = this.#columns.has('label') ? this.#label(row, text) : undefined;
    const language = this.#language(row);
    if (this.#log.errors > errorsBefore || text === undefined) return undefined;
    const input = textPair === undefined ? { text } : { text, textPair };
    return { input, gold, language, line: row.line };
  }

  #text(row: Row, role: 'text' | 'textPair'): string | undefined {
    const { value, path } = this.#cell(row, role);
    const { line } = row;
    if (value === undefined || value === null) {
      this.#log.add('missing_text', {
        line,
        path,
        message: `the row has no ${path}`,
        suggestion: 'add the text or delete the row',
      });
      return undefined;
    }
    if (typeof value !== 'string') return this.#wrongType(row, path, value, 'a text');
    if (value.trim() === '') {
      this.#log.add('empty_text', {
        line,
        path,
        message: value === '' ? `${path} is empty` : `${path} holds nothing but white space`,
        suggestion: 'add the text or delete the row',
      });
      return undefined;
    }
    const limit = this.#limits.textLength;
    if (value.length > limit) {
      this.#log.add('text_too_long', {
        line,
        path,
        message: `${path} has ${value.length.toLocaleString('en')} characters; the limit is ${limit.toLocaleString('en')}`,
        excerpt: excerptOf(value),
        suggestion: 'split the text into several rows or shorten it',
        length: value.length,
        limit,
      });
      return undefined;
    }
    return value;
  }

  #label(row: Row, text: string | undefined): string | undefined {
    const { value, path } = this.#cell(row, 'label');
    const { line } = row;
    const excerpt = text === undefined ? {} : { excerpt: excerptOf(text) };
    if (!isLabel(value)) {
      if (value !== undefined && value !== null) {
        return this.#wrongType(row, path, value, 'a text, a number, true or false');
      }
    } else {
      const spelled = String(value);
      const label = spelled.trim();
      if (label !== '') return this.#checkedLabel(label, spelled, { line, path, ...excerpt });
    }
    this.#log.add('missing_label', {
      line,
      path,
      message: `the row has no ${path}`,
      ...excerpt,
      suggestion: 'add the label or delete the row',
    });
    return undefined;
  }

  #checkedLabel(
    label: string,
    spelled: string,
    where: { line: number; path: string; excerpt?: string },
  ): string | undefined {
    const limit = this.#limits.labelLength;
    if (label.length > limit) {
      this.#log.add('label_too_long', {
        ...where,
        message: `the label has ${label.length} characters; the limit is ${limit}`,
        excerpt: excerptOf(label),
        suggestion: `check that ${where.path} is the column of the labels`,
        length: label.length,
        limit,
      });
      return undefined;
    }
    if (label !== spelled) {
      this.#log.add('whitespace_label', {
        ...where,
        message: `the label ${quoted(spelled)} has white space around it and is read as ${quoted(label)}`,
        suggestion: 'remove the white space',
        label,
      });
    }
    return label;
  }

  #language(row: Row): string | undefined {
    if (!this.#columns.has('language')) return this.#defaultLanguage;
    const { value, path } = this.#cell(row, 'language');
    if (value === undefined || value === null) return this.#defaultLanguage;
    if (typeof value !== 'string') return this.#wrongType(row, path, value, 'a language tag');
    return value.trim() || this.#defaultLanguage;
  }

  #cell(row: Row, role: Role): { value: unknown; path: string } {
    const { name, key } = this.#columns.get(role)!;
    return { value: cellOf(row, key), path: name ?? `column ${key}` };
  }

  #wrongType({ line }: Row, path: string, value: unknown, expected: string): undefined {
    const excerpt = excerptOfValue(value);
    this.#log.add('wrong_type', {
      line,
      path,
      message: `${path} is ${Array.isArray(value) ? 'an array' : `of type ${typeof value}`}, not ${expected}`,
      excerpt,
      suggestion: `write ${expected}`,
    });
  }
}

function isLabel(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
