// The entities of a text as data gives them: objects with start, end and label, or triples of them.
// They come out as spans in code points, checked against the text.
import { CodePoints, fromUnit, type OffsetUnit } from '@polyprompt/text';
import {
  type DatasetIssue,
  excerptOf,
  excerptOfValue,
  makeIssue,
  quoted,
} from '../datasets/issue.ts';
import type { Span } from './types.ts';

export interface EntityContext {
  readonly text: string;
  readonly line: number;
  readonly path: string;
  readonly unit: OffsetUnit;
}

interface Given extends Span {
  /** As the data has them. */
  readonly given: readonly [start: number, end: number];
}

/** The spans in order, without those that something is wrong with; all problems are issues. */
export function readEntities(
  entities: readonly unknown[],
  context: EntityContext,
): { readonly spans: readonly Span[]; readonly issues: readonly DatasetIssue[] } {
  const text = new CodePoints(context.text);
  const toCodePoint = fromUnit(context.text, context.unit);
  const issues: DatasetIssue[] = [];
  const found = entities.flatMap((entity, i): Given[] => {
    const path = `${context.path}[${i}]`;
    const fields = fieldsOf(entity);
    if (fields === undefined) {
      issues.push(malformed(entity, i, path, context));
      return [];
    }
    const { start, end, label } = fields;
    const [from, to] = [toCodePoint(start), toCodePoint(end)];
    if (from === undefined || to === undefined || from >= to) {
      issues.push(outOfRange(fields, path, text, context));
      return [];
    }
    const span = trimmed(text, from, to);
    const where = { line: context.line, path, excerpt: excerptOf(text.slice(from, to)) };
    if (span[0] !== from || span[1] !== to) {
      const what = span[0] < span[1] ? 'white space around it and is read without' : 'nothing else';
      issues.push(
        makeIssue('whitespace_entity', {
          ...where,
          message: `the entity from ${start} to ${end} (${label}) has ${what}`,
          suggestion: 'let it begin and end with its words',
          start,
          end,
        }),
      );
    }
    return span[0] < span[1] ? [{ start: span[0], end: span[1], label, given: [start, end] }] : [];
  });
  found.sort((a, b) => a.start - b.start || a.end - b.end);
  const spans: Span[] = [];
  let previous: Given | undefined;
  for (const entity of found) {
    if (previous !== undefined && entity.start < previous.end) {
      issues.push(overlap(previous, entity, text, context));
      continue;
    }
    spans.push({ start: entity.start, end: entity.end, label: entity.label });
    previous = entity;
  }
  return { spans, issues };
}

/** Start, end and label of what an entity is written as; undefined if it is none. */
function fieldsOf(entity: unknown): Span | undefined {
  if (typeof entity !== 'object' || entity === null) return undefined;
  const { start, end, label, type, entity_group } = entity as Record<string, unknown>;
  const [from, to, name] = Array.isArray(entity)
    ? entity
    : [start, end, label ?? type ?? entity_group];
  const isOffset = (value: unknown): value is number => Number.isSafeInteger(value);
  if (!isOffset(from) || !isOffset(to) || typeof name !== 'string') return undefined;
  const trimmedName = name.trim();
  return trimmedName === '' ? undefined : { start: from, end: to, label: trimmedName };
}

function trimmed(text: CodePoints, start: number, end: number): [start: number, end: number] {
  const isSpace = (index: number) => /\s/.test(text.slice(index, index + 1));
  let [from, to] = [start, end];
  while (from < to && isSpace(from)) from++;
  while (to > from && isSpace(to - 1)) to--;
  return [from, to];
}

function malformed(
  entity: unknown,
  index: number,
  path: string,
  { line, text }: EntityContext,
): DatasetIssue {
  return makeIssue('bad_entity', {
    line,
    path,
    message: `the entity is ${quoted(excerptOfValue(entity))}`,
    excerpt: excerptOf(text),
    suggestion: 'write {"start": 0, "end": 5, "label": "PER"} with whole numbers',
    entity: index,
  });
}

const UNITS = { codepoint: 'characters', utf16: 'UTF-16 units', byte: 'bytes' } as const;

function outOfRange(
  { start, end, label }: Span,
  path: string,
  text: CodePoints,
  { line, unit }: EntityContext,
): DatasetIssue {
  const length = text.inUnit(text.length, unit);
  const why =
    start >= end
      ? 'it ends before it begins'
      : start < 0 || end > length
        ? `the text has ${length} ${UNITS[unit]}`
        : `there is no character that begins there, counted in ${UNITS[unit]}`;
  return makeIssue('entity_out_of_range', {
    line,
    path,
    message: `the entity from ${start} to ${end} (${label}) is not in the text: ${why}`,
    excerpt: excerptOf(text.text),
    suggestion: 'correct the offsets; say so if they do not count Unicode code points',
    start,
    end,
    length,
  });
}

function overlap(
  first: Given,
  second: Given,
  text: CodePoints,
  { line, path }: EntityContext,
): DatasetIssue {
  const show = ({ given: [start, end], label, ...span }: Given) =>
    `${quoted(text.slice(span.start, span.end))} from ${start} to ${end} (${label})`;
  return makeIssue('overlapping_entities', {
    line,
    path,
    message: `${show(second)} overlaps ${show(first)}`,
    excerpt: excerptOf(text.text),
    suggestion: 'keep one of them; a word has one label',
    first: first.given,
    second: second.given,
  });
}
