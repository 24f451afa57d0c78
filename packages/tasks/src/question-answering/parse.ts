// Files of questions to examples, then the checks that need all examples at once.

import type { ColumnRole } from '../datasets/columns.ts';
import { excerptOf } from '../datasets/issue.ts';
import { IssueLog, type IssueSummary } from '../datasets/issue-log.ts';
import { checkLanguages } from '../datasets/language.ts';
import { DATASET_LIMITS } from '../datasets/limits.ts';
import { readRows } from '../datasets/read.ts';
import {
  type DatasetReport,
  type DatasetSource,
  increment,
  type ParseOptions,
  toRecord,
} from '../datasets/report.ts';
import type { Column } from '../datasets/table.ts';
import { type Role, RowReader } from './read-row.ts';
import { expandSquad } from './squad.ts';
import type { QuestionExample } from './types.ts';

const ROLES: readonly ColumnRole<Role>[] = [
  { role: 'question', names: ['question', 'query'], required: true },
  { role: 'context', names: ['context', 'passage', 'paragraph', 'document'], required: true },
  { role: 'answers', names: ['answers'], required: false },
  { role: 'answer', names: ['answer', 'answer_text'], required: false },
  { role: 'answerStart', names: ['answer_start'], required: false },
  { role: 'impossible', names: ['is_impossible'], required: false },
  { role: 'id', names: ['id', 'qid', 'question_id'], required: false },
  { role: 'language', names: ['language', 'lang', 'locale'], required: false },
];

/**
 * Reads a file of questions, SQuAD's JSON or flat rows, and checks everything in it. Bad data never
 * throws.
 * @throws TaskError `bad_option`
 */
export function parseQuestions(
  source: DatasetSource,
  options: ParseOptions = {},
): DatasetReport<QuestionExample> {
  const purpose = options.purpose ?? 'train';
  const limits = { ...DATASET_LIMITS, ...options.limits };
  const log = new IssueLog(limits.issues);
  const { rows, columns, about } = readRows(source, ROLES, options, limits, log, expandSquad);
  const { language } = options;
  const labelled = purpose !== 'predict';
  const reader = new RowReader({ columns, language, labelled, limits, log });
  const readable = rows.length === 0 || !labelled || hasAnswers(columns, log);
  const examples = (readable ? rows : [])
    .map((row) => reader.read(row))
    .filter((example) => example !== undefined);

  const labels = new Map<string, number>();
  const languages = new Map<string, number>();
  for (const example of examples) {
    if (example.gold) increment(labels, example.gold.length > 0 ? 'answerable' : 'impossible');
    if (example.language !== undefined) increment(languages, example.language);
  }
  checkRepeats(examples, log);
  checkLanguages(examples, columns.get('language')?.name, log);
  if (purpose === 'train' && examples.length > 0 && !labels.has('answerable')) {
    log.add('no_answers', {
      line: null,
      message: `none of the ${examples.length.toLocaleString('en')} questions has an answer; there is nothing to learn`,
      suggestion: 'add questions that the context answers',
      count: examples.length,
    });
  }
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

/** Whether the file says anything about answers; reported once if not, instead of in every row. */
function hasAnswers(columns: ReadonlyMap<Role, Column>, log: IssueLog): boolean {
  const roles: readonly Role[] = ['answers', 'answer', 'impossible'];
  if (roles.some((role) => columns.has(role))) return true;
  const names = [...columns.values()].map(({ name, key }) => name ?? `column ${key}`);
  log.add('missing_column', {
    line: null,
    path: 'answers',
    message: 'there is no column for the answers',
    suggestion:
      'name it "answers" ([{"text", "answer_start"}]) or "answer" (code may choose one: columns.answers)',
    columns: names,
  });
  return false;
}

/** Warns of questions of a development or test file that the training file has too. */
export function checkQuestionSplits(
  train: readonly QuestionExample[],
  dev: readonly QuestionExample[],
  limit = DATASET_LIMITS.issues,
): IssueSummary {
  const log = new IssueLog(limit);
  const trained = new ByQuestion();
  for (const example of train) trained.set(example);
  for (const example of dev) {
    const trainLine = trained.get(example)?.line;
    if (trainLine === undefined) continue;
    log.add('row_in_train', {
      line: example.line,
      message: `the question is also on line ${trainLine} of the training data, about the same context; scores on it say little`,
      excerpt: excerptOf(example.input.question),
      suggestion: 'delete it from one of the two files',
      trainLine,
    });
  }
  return log.summary();
}

function checkRepeats(examples: readonly QuestionExample[], log: IssueLog): void {
  const firsts = new ByQuestion();
  for (const example of examples) {
    const first = firsts.get(example);
    if (first === undefined) {
      firsts.set(example);
    } else if (JSON.stringify(first.gold) === JSON.stringify(example.gold)) {
      log.add('duplicate_row', {
        line: example.line,
        message: `the question repeats line ${first.line}, about the same context`,
        excerpt: excerptOf(example.input.question),
        suggestion: 'delete one of the two',
        firstLine: first.line,
      });
    }
  }
}

/** Examples by question and context. The many questions of a context share it: it can be a whole book. */
class ByQuestion {
  readonly #contexts = new Map<string, Map<string, QuestionExample>>();

  get({ input }: QuestionExample): QuestionExample | undefined {
    return this.#contexts.get(input.context)?.get(input.question);
  }

  set(example: QuestionExample): void {
    const { question, context } = example.input;
    const questions = this.#contexts.get(context);
    if (questions) questions.set(question, example);
    else this.#contexts.set(context, new Map([[question, example]]));
  }
}
