// One answer of a file against its context: the text must be there, where the data says that it is.

import type { CodePoints } from '@polyprompt/text';
import { excerptOf, excerptOfValue, quoted } from '../datasets/issue.ts';
import type { IssueLog } from '../datasets/issue-log.ts';
import { isAt, nearest, occurrences, similar } from './locate.ts';
import { type SpelledAnswer, wholeNumber } from './spellings.ts';
import type { GoldAnswer } from './types.ts';

export interface AnswerPlace {
  readonly line: number;
  /** Where the row is in a JSON document. */
  readonly row?: string;
  readonly question: string;
}

/** The answer with its place in code points; undefined if anything is wrong with it, which is reported. */
export function checkAnswer(
  { path: cell, text, start: given }: SpelledAnswer,
  context: CodePoints,
  { line, row, question }: AnswerPlace,
  log: IssueLog,
): GoldAnswer | undefined {
  const path = row ? `${row}.${cell}` : cell;
  const where = { line, path, excerpt: excerptOf(question) };
  if (typeof text !== 'string' || text.trim() === '') {
    const message =
      typeof text === 'string'
        ? 'the answer is empty'
        : `the answer is ${kindOf(text)}, not a text`;
    const suggestion =
      'write a part of the context, or no answers and is_impossible: true if there is none';
    log.add(typeof text === 'string' ? 'empty_text' : 'wrong_type', {
      ...where,
      message,
      suggestion,
    });
    return undefined;
  }
  const answer = excerptOf(text);
  if (given === undefined || given === null || given === '') {
    const starts = occurrences(context, text);
    if (starts.length === 0) return reportAbsent(text, context, where, log);
    if (starts.length > 1) {
      log.add('unplaced_answer', {
        ...where,
        message: `the context has ${quoted(text)} ${starts.length} times and the row no answer_start; the first is taken`,
        suggestion: 'add answer_start, in characters of the context from 0',
        answer,
        count: starts.length,
      });
    }
    return { text, start: starts[0]! };
  }
  const start = wholeNumber(given);
  if (start === undefined) {
    log.add('wrong_type', {
      ...where,
      message: `the answer_start is ${excerptOfValue(given)}, not a whole number from 0`,
      suggestion: 'write the place of the answer in characters of the context, from 0',
    });
    return undefined;
  }
  if (isAt(context, text, start)) return { text, start };
  const starts = occurrences(context, text);
  if (starts.length === 0) return reportAbsent(text, context, where, log);
  const place = nearest(starts, start)!;
  const utf16 = context.text.startsWith(text, start);
  const there = context.slice(start, start + [...text].length);
  log.add('misplaced_answer', {
    ...where,
    message: `${quoted(text)} is not at answer_start ${start}, where the context has ${there === '' ? 'ended' : quoted(there)}; it is at ${place}`,
    suggestion: utf16
      ? `count Unicode code points instead of UTF-16 units: ${place}`
      : `set answer_start to ${place}, counted in Unicode code points from 0`,
    answer,
    start,
    nearest: place,
  });
  return undefined;
}

// Longer texts are not worth a search for what they nearly are.
const LONGEST_SEARCHED = 1000;

function reportAbsent(
  text: string,
  context: CodePoints,
  where: { line: number; path: string; excerpt: string },
  log: IssueLog,
): undefined {
  const near = text.length > LONGEST_SEARCHED ? undefined : similar(context.text, text);
  log.add('answer_not_in_context', {
    ...where,
    message: `the context does not contain the answer ${quoted(text)}`,
    suggestion:
      near === undefined
        ? 'answer with a part of the context, character by character, or mark the question is_impossible'
        : `the context spells it ${quoted(near)}`,
    answer: excerptOf(text),
  });
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`;
}
