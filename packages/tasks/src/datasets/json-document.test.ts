import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuestions } from '../question-answering/parse.ts';
import { source } from '../testing/sources.ts';
import { parseTexts } from '../text-classification/parse.ts';
import { parseTagged } from '../token-classification/parse.ts';
import { formatOf } from './format.ts';
import { objectLines } from './json-positions.ts';

const parse = (content: string, name = 'rows.json') =>
  parseTexts(source(name, content), { purpose: 'evaluate' });

describe('JSON documents', () => {
  const rows = [
    { text: 'a', label: 'x' },
    { text: 'b', label: 'y' },
  ];

  it.each([
    ['an array', JSON.stringify(rows, null, 1), [2, 6]],
    ['an array on one line', JSON.stringify(rows), [1, 1]],
    ['rows under "data"', JSON.stringify({ version: 1, data: rows }, null, 1), [4, 8]],
    ['one row', JSON.stringify(rows[0], null, 1), [1]],
    [
      'JSON lines under another name',
      `${JSON.stringify(rows[0])}\n${JSON.stringify(rows[1])}\n`,
      [1, 2],
    ],
  ])('are %s', (_, content, lines) => {
    const { valid, examples } = parse(content);
    expect(valid).toBe(true);
    expect(examples.map(({ line }) => line)).toEqual(lines);
    expect(examples[0]!.input).toEqual({ text: 'a' });
  });

  it('report rows that are none, by place and line', () => {
    const { issues } = parse('[\n{"text": "a", "label": "x"},\n7,\n{"text": 5, "label": "x"}]');
    expect(issues).toMatchObject([
      { code: 'wrong_type', path: '[1]', message: '[1] is number, not an object' },
      { code: 'wrong_type', line: 4, path: 'text' },
    ]);
    expect(parse('{"data": {"text": "a"}}').issues).toMatchObject([
      { code: 'wrong_type', line: 1, path: 'data' },
    ]);
  });

  it('say on which line they stop being JSON', () => {
    const { issues } = parse('{\n"data": [\n{"text": "a" "label": 3}]}');
    expect(issues).toMatchObject([{ code: 'malformed_json', line: 3 }]);
  });

  it('hold texts of any length', () => {
    const text = '\\"n\u00e4\n'.repeat(3_000_000);
    const { issues } = parse(JSON.stringify([{ text, label: 'x' }]));
    expect(issues).toMatchObject([{ code: 'text_too_long', line: 1, length: text.length }]);
  });

  it.each([
    ['a.json', '{"data": []}', 'json'],
    ['a.json.gz', '{"text": "a"}\n{"text": "b"}', 'jsonl'],
    ['a', '[{"text": "a"}]', 'json'],
    ['a', '{\n  "data": []\n}', 'json'],
    ['a', '{"data": [1]}', 'json'],
    ['a', '{"text": "a"}', 'jsonl'],
    ['a', '{"text": "broken}\n{"text": "b"}', 'jsonl'],
    ['a.jsonl', '[1]', 'jsonl'],
  ])('%s with %s is %s', (name, content, format) => {
    expect(formatOf(name, Buffer.from(content))).toBe(format);
  });
});

describe('objectLines', () => {
  /** The paths of all objects, found by walking the parsed value. */
  function paths(value: unknown, path = ''): string[] {
    if (Array.isArray(value)) return value.flatMap((each, i) => paths(each, `${path}[${i}]`));
    if (typeof value !== 'object' || value === null) return [];
    const inner = Object.entries(value).flatMap(([key, each]) =>
      paths(each, path === '' ? key : `${path}.${key}`),
    );
    return [path, ...inner];
  }

  it('finds every object of any document, on a line that begins one', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.nat({ max: 2 }), (value, indent) => {
        const json = JSON.stringify(value, null, indent);
        const lines = objectLines(json);
        const text = json.split('\n');
        expect(new Set(lines.keys())).toEqual(new Set(paths(JSON.parse(json))));
        for (const line of lines.values()) expect(text[line - 1]).toContain('{');
      }),
    );
  });

  it('stays small where objects lie in objects without end', () => {
    const depth = 20_000;
    const lines = objectLines(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
    expect([...lines.keys()].join('').length).toBeLessThan(1000);
    expect(lines.get('a.a')).toBe(1);
  });
});

describe('values too deep to be shown', () => {
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

  it.each([
    ['a row of a document', parseTexts, 'a.json', `[${deep}]`, 'wrong_type'],
    ['a text', parseTexts, 'a.jsonl', `{"text": ${deep}, "label": "x"}`, 'wrong_type'],
    ['a label', parseTexts, 'a.jsonl', `{"text": "a", "label": ${deep}}`, 'wrong_type'],
    ['tokens', parseTagged, 'a.jsonl', `{"tokens": ${deep}, "tags": ["O"]}`, 'wrong_type'],
    ['tags without tokens', parseTagged, 'a.jsonl', `{"tags": ${deep}}`, 'missing_tokens'],
    ['an entity', parseTagged, 'a.jsonl', `{"text": "a", "entities": ${deep}}`, 'bad_entity'],
    [
      'a mark',
      parseQuestions,
      'a.jsonl',
      `{"question": "q", "context": "c", "is_impossible": ${deep}}`,
      'wrong_type',
    ],
    [
      'a place',
      parseQuestions,
      'a.jsonl',
      `{"question": "q", "context": "c", "answer": "c", "answer_start": ${deep}}`,
      'wrong_type',
    ],
  ])('are reported like others: %s', (_, read, name, content, code) => {
    const { issues } = read(source(name, content), { purpose: 'evaluate' });
    expect(issues.map((issue) => issue.code)).toEqual([code]);
  });
});
