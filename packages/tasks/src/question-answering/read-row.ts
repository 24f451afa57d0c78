// One row of a file to one question, each cell checked; all problems of a row are reported.

import { CodePoints } from '@polyprompt/text';
import { excerptOf, excerptOfValue } from '../datasets/issue.ts';
import type { IssueLog } from '../datasets/issue-log.ts';
import type { DatasetLimits } from '../datasets/limits.ts';
import { type Column, cellOf, type Row } from '../datasets/table.ts';
import { checkAnswer } from './check-answer.ts';
import { type SpelledAnswer, spelledAnswers, truth } from './spellings.ts';
import type { GoldAnswer, GoldAnswers, QuestionExample } from './types.ts';

export type Role =
  | 'question'
  | 'context'
  | 'answers'
  | 'answer'
  | 'answerStart'
  | 'impossible'
  | 'id'
  | 'language';

export interface RowReaderOptions {
  readonly columns: ReadonlyMap<Role, Column>;
  readonly language: string | undefined;
  /** Whether rows must say what the answer is. */
  readonly labelled: boolean;
  readonly limits: DatasetLimits;
  readonly log: IssueLog;
}

export class RowReader {
  readonly #options: RowReaderOptions;
  // Questions about one context follow each other: its code points are found once.
  #context = new CodePoints('');

  constructor(options: RowReaderOptions) {
    this.#options = options;
  }

  /** The example of a row; undefined if anything in it is wrong. */
  read(row: Row): QuestionExample | undefined {
    const { log, limits, labelled } = this.#options;
    const errorsBefore = log.errors;
    const question = this.#text(row, 'question', limits.textLength);
    const context = this.#text(row, 'context', limits.contextLength, question);
    const language = this.#language(row);
    const id = this.#id(row);
    let gold: GoldAnswers;
    if (labelled && question !== undefined && context !== undefined) {
      if (context !== this.#context.text) this.#context = new CodePoints(context);
      gold = this.#answers(row, question);
    }
    if (log.errors > errorsBefore || question === undefined || context === undefined) {
      return undefined;
    }
    const input = { question, context, ...(id === undefined ? {} : { id }) };
    return { input, gold, language, line: row.line };
  }

  #text(
    row: Row,
    role: 'question' | 'context',
    limit: number,
    question?: string,
  ): string | undefined {
    const { log } = this.#options;
    const { value, path } = this.#cell(row, role);
    const excerpt = question === undefined ? {} : { excerpt: excerptOf(question) };
    const where = { line: row.line, path, ...excerpt };
    if (value === undefined || value === null) {
      const message = `the row has no ${role}`;
      log.add('missing_text', {
        ...where,
        message,
        suggestion: `add the ${role} or delete the row`,
      });
      return undefined;
    }
    if (typeof value !== 'string') {
      const message = `the ${role} is ${Array.isArray(value) ? 'an array' : `of type ${typeof value}`}, not a text`;
      log.add('wrong_type', { ...where, message, suggestion: 'write a text' });
      return undefined;
    }
    if (value.trim() === '') {
      const message = `the ${role} ${value === '' ? 'is empty' : 'holds nothing but white space'}`;
      log.add('empty_text', { ...where, message, suggestion: `add the ${role} or delete the row` });
      return undefined;
    }
    if (value.length > limit) {
      log.add('text_too_long', {
        ...where,
        message: `the ${role} has ${value.length.toLocaleString('en')} characters; the limit is ${limit.toLocaleString('en')}`,
        excerpt: excerptOf(value),
        suggestion: role === 'context' ? 'split the context into several rows' : 'shorten it',
        length: value.length,
        limit,
      });
      return undefined;
    }
    return value;
  }

  #answers(row: Row, question: string): readonly GoldAnswer[] | undefined {
    const { log } = this.#options;
    const { line } = row;
    const where = { line, excerpt: excerptOf(question) };
    const impossible = this.#has('impossible') ? this.#cell(row, 'impossible') : undefined;
    const says = truth(impossible?.value);
    if (says === undefined) {
      log.add('wrong_type', {
        ...where,
        path: impossible!.path,
        message: `${impossible!.path} is ${excerptOfValue(impossible!.value)}, not true or false`,
        suggestion: 'write true or false',
      });
      return undefined;
    }
    const spelled = this.#spelled(row);
    if (spelled === 'wrong') return undefined;
    if (says) {
      if (spelled === undefined || spelled.length === 0) return [];
      log.add('impossible_with_answers', {
        ...where,
        path: impossible!.path,
        message: `the question is marked impossible and has ${spelled.length} answer${spelled.length === 1 ? '' : 's'}`,
        suggestion: 'delete the answers, or the mark',
        count: spelled.length,
      });
      return undefined;
    }
    if (spelled === undefined) {
      log.add('missing_answer', {
        ...where,
        message: 'the question has no answer',
        suggestion: 'add one, or is_impossible: true if the context has none',
      });
      return undefined;
    }
    const place = { line, question, ...(row.path ? { row: row.path } : {}) };
    const found = spelled.map((each) => checkAnswer(each, this.#context, place, log));
    return distinct(found.filter((answer) => answer !== undefined));
  }

  /** What the row says, undefined if nothing. An empty list of answers says that there is none. */
  #spelled(row: Row): readonly SpelledAnswer[] | undefined | 'wrong' {
    if (this.#has('answers')) {
      const { value, path } = this.#cell(row, 'answers', '');
      if (value !== undefined && value !== null && value !== '') {
        const spelled = spelledAnswers(value, path);
        if (spelled) return spelled;
        this.#options.log.add('wrong_type', {
          line: row.line,
          path,
          message: `${path} is of type ${typeof value}, not a list of answers`,
          suggestion: 'write [{"text": "...", "answer_start": 0}]',
        });
        return 'wrong';
      }
    }
    if (!this.#has('answer')) return undefined;
    const { value, path } = this.#cell(row, 'answer', '');
    if (value === undefined || value === null || value === '') return undefined;
    const start = this.#has('answerStart') ? this.#cell(row, 'answerStart').value : undefined;
    const spelled = spelledAnswers(value, path) ?? [{ path, text: value, start }];
    return spelled.map((each) => ({ ...each, start: each.start ?? start }));
  }

  #id(row: Row): string | undefined {
    if (!this.#has('id')) return undefined;
    const { value } = this.#cell(row, 'id');
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  }

  #language(row: Row): string | undefined {
    const { log, language } = this.#options;
    if (!this.#has('language')) return language;
    const { value, path } = this.#cell(row, 'language');
    if (value === undefined || value === null) return language;
    if (typeof value === 'string') return value.trim() || language;
    const message = `${path} is of type ${typeof value}, not a language tag`;
    log.add('wrong_type', {
      line: row.line,
      path,
      message,
      suggestion: 'write a tag such as "sw"',
    });
    return undefined;
  }

  #has(role: Role): boolean {
    return this.#options.columns.has(role);
  }

  /** @param prefix in front of the name in the path; by default where the row is in its document */
  #cell(
    row: Row,
    role: Role,
    prefix = row.path ? `${row.path}.` : '',
  ): { value: unknown; path: string } {
    const { name, key } = this.#options.columns.get(role)!;
    return { value: cellOf(row, key), path: `${prefix}${name ?? `column ${key}`}` };
  }
}

/** Annotators often agree. */
function distinct(answers: readonly GoldAnswer[]): GoldAnswer[] {
  const byPlace = new Map(answers.map((answer) => [`${answer.start} ${answer.text}`, answer]));
  return [...byPlace.values()];
}
