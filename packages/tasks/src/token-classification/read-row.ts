// One row of a data file: given words with their tags, or a text with its entities.

import type { ColumnRole } from '../datasets/columns.ts';
import { excerptOf, excerptOfValue, type IssueFields } from '../datasets/issue.ts';
import type { IssueLog } from '../datasets/issue-log.ts';
import type { DatasetLimits } from '../datasets/limits.ts';
import type { ParseOptions, Purpose } from '../datasets/report.ts';
import { type Column, cellOf, type Row } from '../datasets/table.ts';
import { readEntities } from './entities.ts';
import type { TaggingGold, TaggingInput } from './types.ts';

type Role = 'tokens' | 'tags' | 'text' | 'entities' | 'language';

// None is required by itself: which are needed depends on the others.
export const ROLES: readonly ColumnRole<Role>[] = [
  { role: 'tokens', names: ['tokens', 'words', 'form'], required: false },
  { role: 'tags', names: ['tags', 'ner_tags', 'upos', 'pos_tags', 'slots'], required: false },
  { role: 'text', names: ['text', 'sentence'], required: false },
  { role: 'entities', names: ['entities', 'spans', 'labels', 'label'], required: false },
  { role: 'language', names: ['language', 'lang', 'locale'], required: false },
];

export interface TaggedRow {
  readonly input: TaggingInput;
  /** Tags as the file has them. */
  readonly gold: TaggingGold | undefined;
  readonly language: string | undefined;
  readonly line: number;
  /** For messages: the words that have tags, their lines, and what their column is called. */
  readonly words: readonly string[];
  readonly lineOf: (word: number) => number;
  readonly path: string;
}

type Cell = { readonly value: unknown; readonly path: string };

export class RowReader {
  readonly #columns: ReadonlyMap<Role, Column>;
  readonly #options: ParseOptions & { readonly purpose: Purpose };
  readonly #limits: DatasetLimits;
  readonly #log: IssueLog;

  constructor(
    columns: ReadonlyMap<Role, Column>,
    options: ParseOptions & { readonly purpose: Purpose },
    limits: DatasetLimits,
    log: IssueLog,
  ) {
    this.#columns = columns;
    this.#options = options;
    this.#limits = limits;
    this.#log = log;
  }

  /** What a row says; undefined if anything in it is wrong. All its problems are reported. */
  read(row: Row): TaggedRow | undefined {
    const errorsBefore = this.#log.errors;
    const tokens = this.#cell(row, 'tokens');
    const text = this.#cell(row, 'text');
    const read =
      tokens.value !== undefined || text.value === undefined
        ? this.#words(row, tokens)
        : this.#text(row, text);
    const language = this.#language(row);
    if (read === undefined || this.#log.errors > errorsBefore) return undefined;
    return { ...read, language, line: row.line };
  }

  #words(row: Row, { value, path }: Cell): Omit<TaggedRow, 'language' | 'line'> | undefined {
    const { line } = row;
    const lineOf = (word: number) => row.lines?.[word] ?? line;
    const tags = this.#options.purpose === 'predict' ? undefined : this.#cell(row, 'tags');
    if (value === undefined) {
      const had = tags?.value === undefined ? '' : ', but it has tags';
      this.#log.add('missing_tokens', {
        line,
        path,
        message: `the row has no tokens${had}`,
        ...(tags?.value === undefined ? {} : { excerpt: excerptOfValue(tags.value) }),
        suggestion: 'add "tokens", a list of words, or "text" with "entities"',
      });
      return undefined;
    }
    if (!isTexts(value)) return this.#wrongType(line, path, value, 'a list of texts');
    const excerpt = excerptOf(value.join(' '));
    if (value.length === 0) {
      const message = `${path} is an empty list`;
      this.#log.add('missing_tokens', { line, path, message, suggestion: 'delete the row' });
      return undefined;
    }
    // White space is a word in some corpora; the tokenizer makes nothing of it, which is reported then.
    const empty = value.indexOf('');
    if (empty >= 0) {
      this.#log.add('empty_token', {
        line: lineOf(empty),
        path,
        message: `word ${empty + 1} of ${value.length} is empty`,
        excerpt,
        suggestion: 'delete the word and its tag',
        token: empty,
      });
    }
    this.#checkLength(value.join(' '), line, path);
    const read = { input: { tokens: value }, words: value, lineOf, path: tags?.path ?? path };
    if (tags === undefined) return { ...read, gold: undefined };
    const gold = this.#tags(row, tags, value);
    return gold && { ...read, gold: { tags: gold } };
  }

  #tags(row: Row, { value, path }: Cell, words: readonly string[]): string[] | undefined {
    const { line } = row;
    const excerpt = excerptOf(words.join(' '));
    if (value === undefined) {
      this.#log.add('missing_tags', {
        line,
        path,
        message: 'the row has no tags',
        excerpt,
        suggestion: 'add "tags", one for each token',
      });
      return undefined;
    }
    if (!isTexts(value)) {
      const numbers = Array.isArray(value) && value.some((tag) => typeof tag === 'number');
      const wanted = numbers ? 'a list of tags by their names' : 'a list of texts';
      return this.#wrongType(line, path, value, wanted);
    }
    if (value.length !== words.length) {
      this.#log.add('unequal_lengths', {
        line,
        path,
        message: `the row has ${words.length} tokens and ${value.length} tags`,
        excerpt,
        suggestion: 'give every token one tag',
        tokens: words.length,
        tags: value.length,
      });
      return undefined;
    }
    const tags = value.map((tag) => tag.trim());
    const limit = this.#limits.labelLength;
    tags.forEach((tag, token) => {
      const where = { line: row.lines?.[token] ?? line, path };
      if (tag === '') {
        const message = `word ${token + 1}, "${excerptOf(words[token]!)}", has no tag`;
        const suggestion = 'add its tag, O if it has none';
        this.#log.add('bad_tag', { ...where, message, excerpt, suggestion, token, tag });
      } else if (tag.length > limit) {
        this.#log.add('label_too_long', {
          ...where,
          message: `the tag of word ${token + 1} has ${tag.length} characters; the limit is ${limit}`,
          excerpt: excerptOf(tag),
          suggestion: `check that ${path} is the column of the tags`,
          length: tag.length,
          limit,
        });
      }
    });
    return tags;
  }

  #text(row: Row, { value, path }: Cell): Omit<TaggedRow, 'language' | 'line'> | undefined {
    const { line } = row;
    if (typeof value !== 'string') return this.#wrongType(line, path, value, 'a text');
    if (value.trim() === '') {
      const message = value === '' ? `${path} is empty` : `${path} holds nothing but white space`;
      this.#log.add('empty_text', { line, path, message, suggestion: 'delete the row' });
      return undefined;
    }
    this.#checkLength(value, line, path);
    const input = { text: value };
    const read = { input, words: [], lineOf: () => line, path };
    if (this.#options.purpose === 'predict') return { ...read, gold: undefined };
    const entities = this.#cell(row, 'entities');
    if (entities.value === undefined) {
      this.#log.add('missing_entities', {
        line,
        path: entities.path,
        message: 'the row has no entities',
        excerpt: excerptOf(value),
        suggestion: 'add "entities", an empty list if there are none',
      });
      return undefined;
    }
    if (!Array.isArray(entities.value)) {
      return this.#wrongType(line, entities.path, entities.value, 'a list of entities');
    }
    const unit = this.#options.offsetUnit ?? 'codepoint';
    const context = { text: value, line, path: entities.path, unit };
    const { spans, issues } = readEntities(entities.value, context);
    for (const issue of issues) this.#log.take(issue);
    return { ...read, gold: { spans } };
  }

  #checkLength(text: string, line: number, path: string): void {
    const limit = this.#limits.textLength;
    if (text.length <= limit) return;
    this.#log.add('text_too_long', {
      line,
      path,
      message: `${path} has ${text.length.toLocaleString('en')} characters; the limit is ${limit.toLocaleString('en')}`,
      excerpt: excerptOf(text),
      suggestion: 'split the text into several rows',
      length: text.length,
      limit,
    });
  }

  #language(row: Row): string | undefined {
    const { value, path } = this.#cell(row, 'language');
    if (value === undefined) return this.#options.language;
    if (typeof value !== 'string') return this.#wrongType(row.line, path, value, 'a language tag');
    return value.trim() || this.#options.language;
  }

  /** The value, undefined for null too, and what the column is called. */
  #cell(row: Row, role: Role): Cell {
    const column = this.#columns.get(role);
    if (column === undefined) return { value: undefined, path: role };
    const value = cellOf(row, column.key) ?? undefined;
    return { value, path: column.name ?? `column ${column.key}` };
  }

  #wrongType(line: number, path: string, value: unknown, expected: string): undefined {
    this.#log.add('wrong_type', {
      line,
      path,
      message: `${path} is not ${expected}`,
      excerpt: excerptOfValue(value),
      suggestion: `write ${expected}`,
    } satisfies IssueFields);
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
