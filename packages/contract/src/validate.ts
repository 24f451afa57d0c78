// From zod's findings to an ApiError: a wrong type or an unknown field is 400, a value of the right
// type that is not allowed is 422. The message names the field, the limit and what was found, but
// quotes no long text, so that it can be logged.

import type { z } from 'zod';
import { ApiError } from './errors.ts';

type Issue = z.core.$ZodIssue;

/**
 * Parses a body, query or set of path parameters.
 * @param whole what to call it where no field of it is at fault
 * @throws ApiError `invalid_request` (400) or `invalid_value` (422) for the first problem found
 */
export function validate<T extends z.ZodType>(
  schema: T,
  value: unknown,
  whole = 'the body',
): z.output<T> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const [first, ...others] = mostSpecific(result.error.issues[0]!);
  const { code, path } = first;
  const param = formatPath(path);
  const message = `${param === '' ? whole : param}: ${describe([asSent(first, value), ...others])}`;
  if (isWrongType(code)) throw ApiError.badRequest('invalid_request', message, param || undefined);
  throw ApiError.unprocessable('invalid_value', message, param || undefined);
}

/** Parses the text of a JSON body, then validates it. @throws ApiError also `invalid_json` */
export function validateJson<T extends z.ZodType>(schema: T, text: string): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw ApiError.badRequest('invalid_json', `the body is not JSON: ${(error as Error).message}`);
  }
  return validate(schema, value);
}

/** Query or form fields as an object; `metadata[task]=ner` becomes `{ metadata: { task: 'ner' } }`. */
export function nestFields(fields: Iterable<readonly [string, string]>): Record<string, unknown> {
  const nested = new Map<string, string | Map<string, string>>();
  for (const [key, value] of fields) {
    const [, outer, inner] = /^([^[\]]+)\[([^[\]]+)\]$/.exec(key) ?? [];
    if (outer === undefined || inner === undefined) {
      nested.set(key, value);
      continue;
    }
    const group = nested.get(outer);
    if (group instanceof Map) group.set(inner, value);
    else nested.set(outer, new Map([[inner, value]]));
  }
  return Object.fromEntries(
    [...nested].map(([key, value]) => [
      key,
      value instanceof Map ? Object.fromEntries(value) : value,
    ]),
  );
}

/**
 * What to report of an issue: for a union, the option whose types fitted, or else all the ways in
 * which the options that came furthest into the value failed there.
 */
function mostSpecific(issue: Issue): readonly [Issue, ...Issue[]] {
  const leaves = leavesOf(issue);
  const value = leaves.find(({ code }) => !isWrongType(code));
  if (value !== undefined) return [value];
  const depth = Math.max(...leaves.map(({ path }) => path.length));
  const [first = issue, ...others] = leaves.filter(({ path }) => path.length === depth);
  const place = formatPath(first.path);
  return [first, ...others.filter(({ path }) => formatPath(path) === place)];
}

/** What a coercion made NaN of is shown as it was sent. */
function asSent(issue: Issue, value: unknown): Issue {
  if (!Number.isNaN(issue.input)) return issue;
  const sent = issue.path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
  return { ...issue, input: sent } as Issue;
}

function leavesOf(issue: Issue): readonly Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  return issue.errors.flatMap((option) => {
    // Where the type is another, nothing else that the option says counts: a list is no text that is too long.
    const other = option.filter(({ code, path }) => path.length === 0 && isWrongType(code));
    return (other.length > 0 ? other : option).flatMap((inner) =>
      leavesOf({ ...inner, path: [...issue.path, ...inner.path] }),
    );
  });
}

function isWrongType(code: Issue['code']): boolean {
  return ['invalid_type', 'invalid_value', 'invalid_union', 'unrecognized_keys'].includes(code);
}

/** @param issues all of one place in the value */
function describe(issues: readonly [Issue, ...Issue[]]): string {
  const [issue] = issues;
  const found = issue.input === undefined ? 'nothing' : describeValue(issue.input);
  const expected = new Set(issues.flatMap(expectationsOf));
  if (expected.size > 0) return `expected ${[...expected].join(' or ')}, received ${found}`;
  switch (issue.code) {
    case 'too_big': {
      if (isOwn(issue)) return issue.message;
      const bound = issue.inclusive === false ? 'less than' : 'at most';
      return `expected ${bound} ${count(issue.maximum, issue.origin)}, received ${found}`;
    }
    case 'too_small': {
      if (issue.origin === 'string' && issue.input === '') return 'must not be empty';
      const bound = issue.inclusive === false ? 'more than' : 'at least';
      return `expected ${bound} ${count(issue.minimum, issue.origin)}, received ${found}`;
    }
    case 'unrecognized_keys':
      return `unknown field ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}; check its spelling`;
    default:
      return `${issue.message}, received ${found}`;
  }
}

function expectationsOf(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_type')
    return [issue.expected === 'record' ? 'object' : issue.expected];
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value));
  return [];
}

/** Whether the schema has words of its own for this. */
function isOwn({ message }: Issue): boolean {
  return !/^Too (?:big|small)/.test(message);
}

function count(number: number | bigint, origin: string): string {
  const unit = { string: ' character', array: ' item' }[origin];
  if (unit === undefined) return String(number);
  return `${number}${unit}${number === 1 ? '' : 's'}`;
}

function describeValue(value: unknown): string {
  if (typeof value === 'string') {
    return value.length <= 80
      ? `string ${JSON.stringify(value)}`
      : `a string of ${value.length} characters`;
  }
  if (Array.isArray(value)) return `an array of ${value.length} items`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}
