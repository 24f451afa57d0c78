// The ways in which files spell the answers of a question, brought into one.

import { isObject } from '../datasets/json-document.ts';

export interface SpelledAnswer {
  readonly path: string;
  readonly text: unknown;
  /** Undefined or null where the data does not say. */
  readonly start: unknown;
}

/**
 * The answers of a cell: a list of `{text, answer_start}` or of texts, the lists of Hugging Face's data
 * sets (`{text: [], answer_start: []}`), one such object, or one text.
 * @returns undefined for a cell of another kind
 */
export function spelledAnswers(cell: unknown, path: string): readonly SpelledAnswer[] | undefined {
  if (typeof cell === 'string') return [{ path, text: cell, start: undefined }];
  if (Array.isArray(cell)) {
    return cell.map((each: unknown, i) => oneAnswer(each, `${path}[${i}]`));
  }
  if (!isObject(cell)) return undefined;
  const { text, answer_start: start } = cell;
  if (!Array.isArray(text)) return [oneAnswer(cell, path)];
  const starts: readonly unknown[] = Array.isArray(start) ? start : [];
  return text.map((each: unknown, i) => ({
    path: `${path}.text[${i}]`,
    text: each,
    start: starts[i],
  }));
}

function oneAnswer(value: unknown, path: string): SpelledAnswer {
  if (!isObject(value)) return { path, text: value, start: undefined };
  return { path, text: value.text, start: value.answer_start ?? value.start };
}

/** A number, or a text of digits as CSV has them; undefined for anything else. */
export function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) && (number as number) >= 0 ? (number as number) : undefined;
}

const TRUE = ['true', '1', 'yes'];

/** Whether a cell says yes; undefined where it says neither. */
export function truth(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (value === undefined || value === null || value === '') return false;
  if (typeof value === 'object') return undefined;
  const text = String(value).toLowerCase();
  if (TRUE.includes(text)) return true;
  return ['false', '0', 'no'].includes(text) ? false : undefined;
}
