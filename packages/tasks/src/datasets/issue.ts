// What can be wrong with a dataset: a union discriminated by `code`, in the manner of zod's issues.

/** What each code carries besides the fields of every issue. */
export interface IssueDetails {
  file_too_large: { readonly limit: number };
  damaged_gzip: unknown;
  not_text: unknown;
  empty_file: unknown;
  invalid_utf8: { readonly byteOffset: number };
  malformed_json: unknown;
  malformed_csv: unknown;
  no_header: { readonly columns: readonly string[] };
  missing_column: { readonly columns: readonly string[] };
  ambiguous_column: { readonly columns: readonly string[] };
  wrong_column_count: { readonly count: number; readonly expected: number };
  wrong_type: unknown;
  missing_text: unknown;
  empty_text: unknown;
  text_too_long: { readonly length: number; readonly limit: number };
  too_many_tokens: { readonly tokens: number; readonly limit: number };
  missing_label: unknown;
  label_too_long: { readonly length: number; readonly limit: number };
  unknown_label: { readonly label: string };
  label_only_in_dev: { readonly label: string; readonly count: number };
  single_label: { readonly label: string };
  too_many_labels: { readonly count: number; readonly limit: number };
  whitespace_label: { readonly label: string };
  few_examples_for_label: {
    readonly label: string;
    readonly count: number;
    readonly limit: number;
  };
  missing_answer: unknown;
  answer_not_in_context: { readonly answer: string };
  misplaced_answer: {
    readonly answer: string;
    readonly start: number;
    /** Where the context does have it; null if nowhere. */
    readonly nearest: number | null;
  };
  answer_without_tokens: { readonly answer: string };
  impossible_with_answers: { readonly count: number };
  no_answers: { readonly count: number };
  unplaced_answer: { readonly answer: string; readonly count: number };
  missing_tokens: unknown;
  missing_tags: unknown;
  unequal_lengths: { readonly tokens: number; readonly tags: number };
  empty_token: { readonly token: number };
  bad_tag: { readonly token: number; readonly tag: string };
  invalid_tags: { readonly count: number };
  mended_tags: { readonly count: number };
  missing_entities: unknown;
  bad_entity: { readonly entity: number };
  entity_out_of_range: {
    readonly start: number;
    readonly end: number;
    readonly length: number;
  };
  overlapping_entities: {
    readonly first: readonly [start: number, end: number];
    readonly second: readonly [start: number, end: number];
  };
  whitespace_entity: { readonly start: number; readonly end: number };
  word_without_tokens: { readonly word: string; readonly count: number };
  duplicate_row: { readonly firstLine: number };
  conflicting_labels: { readonly firstLine: number; readonly labels: readonly [string, string] };
  row_in_train: { readonly trainLine: number };
  unknown_language_tag: { readonly tag: string; readonly count: number };
  truncated: { readonly tokens: number; readonly limit: number };
}

export type IssueCode = keyof IssueDetails;

/** An error makes the file unusable as it is; a warning is worth a look. */
export type Severity = 'error' | 'warning';

export interface IssueFields {
  /** Line of the file, from 1; null where the problem is the file as a whole. */
  readonly line: number | null;
  /** Column or key, as the file spells it. */
  readonly path?: string;
  /** What is wrong, with the value and the limit. */
  readonly message: string;
  /** The beginning of the text in question. */
  readonly excerpt?: string;
  /** What to do about it. */
  readonly suggestion?: string;
}

export type DatasetIssue = {
  [Code in IssueCode]: IssueFields &
    IssueDetails[Code] & { readonly code: Code; readonly severity: Severity };
}[IssueCode];

// A record instead of a list, so that no code can be without a severity.
const SEVERITIES: Readonly<Record<IssueCode, Severity>> = {
  file_too_large: 'error',
  damaged_gzip: 'error',
  not_text: 'error',
  empty_file: 'error',
  invalid_utf8: 'error',
  malformed_json: 'error',
  malformed_csv: 'error',
  no_header: 'error',
  missing_column: 'error',
  ambiguous_column: 'error',
  wrong_column_count: 'error',
  wrong_type: 'error',
  missing_text: 'error',
  empty_text: 'error',
  text_too_long: 'error',
  too_many_tokens: 'error',
  missing_label: 'error',
  label_too_long: 'error',
  unknown_label: 'error',
  label_only_in_dev: 'error',
  single_label: 'error',
  too_many_labels: 'error',
  missing_answer: 'error',
  answer_not_in_context: 'error',
  misplaced_answer: 'error',
  answer_without_tokens: 'error',
  impossible_with_answers: 'error',
  no_answers: 'error',
  unplaced_answer: 'warning',
  whitespace_label: 'warning',
  few_examples_for_label: 'warning',
  missing_tokens: 'error',
  missing_tags: 'error',
  unequal_lengths: 'error',
  empty_token: 'error',
  bad_tag: 'error',
  invalid_tags: 'error',
  mended_tags: 'warning',
  missing_entities: 'error',
  bad_entity: 'error',
  entity_out_of_range: 'error',
  overlapping_entities: 'error',
  whitespace_entity: 'warning',
  word_without_tokens: 'warning',
  duplicate_row: 'warning',
  conflicting_labels: 'warning',
  row_in_train: 'warning',
  unknown_language_tag: 'warning',
  truncated: 'warning',
};

export const ISSUE_CODES = Object.keys(SEVERITIES) as IssueCode[];

export function makeIssue<Code extends IssueCode>(
  code: Code,
  fields: IssueFields & IssueDetails[Code],
): DatasetIssue {
  return { code, severity: SEVERITIES[code], ...fields } as DatasetIssue;
}

const EXCERPT_LENGTH = 80;

/** The beginning of a text on one line, for people to recognise it by. */
export function excerptOf(text: string): string {
  // A text is cut before its white space is folded, so that a long one costs no more than a short one.
  const head = text.slice(0, 2 * EXCERPT_LENGTH).replace(/\s+/g, ' ');
  if (head.length <= EXCERPT_LENGTH && text.length <= 2 * EXCERPT_LENGTH) return head;
  return `${head.slice(0, EXCERPT_LENGTH).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** A value of a JSON file, for people to recognise it by. */
export function excerptOfValue(value: unknown): string {
  try {
    return excerptOf(JSON.stringify(value) ?? 'nothing');
  } catch {
    // Parsed without recursion, written with it: arrays in arrays can be too deep for that.
    return Array.isArray(value) ? '[…]' : '{…}';
  }
}

/** A quoted name for messages. */
export function quoted(text: string): string {
  return JSON.stringify(excerptOf(text));
}
