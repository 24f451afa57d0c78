// Rows to examples: given words with tags, or texts with entities. Tags of all schemes become IOB2,
// which needs the whole file, so rows are read first and tags are understood afterwards.

import { excerptOf, quoted } from '../datasets/issue.ts';
import { IssueLog } from '../datasets/issue-log.ts';
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
import { checkRepeats } from './check-repeats.ts';
import { checkTagCounts } from './check-tag-counts.ts';
import { ROLES, RowReader, type TaggedRow } from './read-row.ts';
import { isSpanTag, normaliseTags, type Scheme, schemeOf } from './scheme.ts';
import { spansOf } from './tags.ts';
import type { TaggedExample, TaggingGold } from './types.ts';

/**
 * Reads a file of tagged words or of texts with entities and checks everything in it. Bad data never
 * throws.
 * @throws TaskError `bad_option`
 */
export function parseTagged(
  source: DatasetSource,
  options: ParseOptions = {},
): DatasetReport<TaggedExample> {
  const purpose = options.purpose ?? 'train';
  const limits = { ...DATASET_LIMITS, ...options.limits };
  const log = new IssueLog(limits.issues);
  const found = readRows(source, ROLES, options, limits, log, undefined, 'conll');
  const reader = new RowReader(found.columns, { ...options, purpose }, limits, log);
  const rows = found.rows.map((row) => reader.read(row)).filter((row) => row !== undefined);
  const scheme = schemeOf(rows.flatMap(({ gold }) => (gold?.tags ? [gold.tags] : [])));
  const examples = rows.flatMap((row): TaggedExample[] => {
    const { input, language, line } = row;
    const gold = understand(row, scheme, options.invalidTags ?? 'fix', log);
    return gold === null ? [] : [{ input, gold, language, line }];
  });

  const labels = new Map<string, number>();
  const languages = new Map<string, number>();
  for (const { gold, language } of examples) {
    for (const label of labelsIn(gold, scheme)) increment(labels, label);
    if (language !== undefined) increment(languages, language);
  }
  checkRepeats(examples, log);
  checkLanguages(examples, found.columns.get('language')?.name, log);
  if (purpose === 'train' && examples.length > 0) {
    checkTagCounts(labels, scheme === 'bare', limits, log);
  }

  const summary = log.summary();
  return {
    ...found.about,
    ...summary,
    valid: summary.errors === 0,
    examples,
    labels: toRecord(labels),
    languages: toRecord(languages),
  };
}

/** The labels of the spans; of bare tags, the tags. */
function labelsIn(gold: TaggingGold | undefined, scheme: Scheme): readonly string[] {
  if (gold === undefined) return [];
  if (gold.spans !== undefined) return gold.spans.map(({ label }) => label);
  return scheme === 'bare' ? gold.tags : spansOf(gold.tags).map(({ label }) => label);
}

/** The gold answer of a row with its tags as IOB2; null if they make no sense (reported). */
function understand(
  { gold, words, lineOf, path }: TaggedRow,
  scheme: Scheme,
  invalidTags: 'fix' | 'refuse',
  log: IssueLog,
): TaggingGold | undefined | null {
  if (gold?.tags === undefined || scheme === 'bare') return gold;
  const excerpt = excerptOf(words.join(' '));
  const foreign = gold.tags.flatMap((tag, token) => (isSpanTag(tag) ? [] : [{ tag, token }]));
  for (const { tag, token } of foreign) {
    log.add('bad_tag', {
      line: lineOf(token),
      path,
      message: `the tag ${quoted(tag)} of word ${token + 1}, ${quoted(words[token]!)}, has no prefix where the others have`,
      excerpt,
      suggestion: 'write O, or B- or I- in front of the label',
      token,
      tag,
    });
  }
  if (foreign.length > 0) return null;
  const { tags, invalid } = normaliseTags(gold.tags, scheme);
  const [first] = invalid;
  if (first === undefined) return { tags };
  const before = first === 0 ? 'at the beginning' : `after ${quoted(gold.tags[first - 1]!)}`;
  const what = `the tag ${quoted(gold.tags[first]!)} of word ${first + 1}, ${quoted(words[first]!)}, cannot stand ${before} in ${scheme}`;
  const all = invalid.length === 1 ? '' : ` (${invalid.length} such tags in the sentence)`;
  const where = { line: lineOf(first), path, excerpt, count: invalid.length };
  if (invalidTags === 'refuse') {
    log.add('invalid_tags', {
      ...where,
      message: `${what}${all}`,
      suggestion: 'correct it, or let such tags be mended',
    });
    return null;
  }
  log.add('mended_tags', {
    ...where,
    message: `${what}${all}; it is read as the beginning of a span`,
    suggestion: 'correct it if this is not what it means',
  });
  return { tags };
}
