import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ParseOptions } from '../datasets/report.ts';
import { cleanRows, jsonLines, source } from '../testing/sources.ts';
import { parseTexts } from './parse.ts';

const parse = (name: string, content: string | Uint8Array, options?: ParseOptions) =>
  parseTexts(source(name, content), options);
/** Without the checks that only a training file needs, to look at single rows. */
const read = (name: string, content: string | Uint8Array, options?: ParseOptions) =>
  parse(name, content, { purpose: 'evaluate', ...options });
const pairs = (report: ReturnType<typeof parse>) =>
  report.examples.map(({ input, gold }) => [input.text, gold]);

describe('a file in each format', () => {
  const csv = 'text,label\nhello,greet\n"good, bye",leave\n';
  const tsv = 'text\tlabel\nhello\tgreet\ngood, bye\tleave\n';
  const jsonl = '{"text":"hello","label":"greet"}\n{"text":"good, bye","label":"leave"}\n';
  const expected = [
    ['hello', 'greet'],
    ['good, bye', 'leave'],
  ];

  it.each([
    ['a.csv', csv, 'csv'],
    ['a.tsv', tsv, 'tsv'],
    ['a.jsonl', jsonl, 'jsonl'],
    ['a.ndjson', jsonl, 'jsonl'],
    ['A.TAB', tsv, 'tsv'],
    ['no-ending', csv, 'csv'],
    ['no-ending', tsv, 'tsv'],
    ['no.such.ending', jsonl, 'jsonl'],
    ['semicolons.csv', 'text;label\nhello;greet\n"good, bye";leave\n', 'csv'],
    ['blank.csv', '\r\n\ntext;label\nhello;greet\n"good, bye";leave\n', 'csv'],
    ['tabs.csv', tsv, 'csv'],
  ])('%s is read', (name, content, format) => {
    const report = read(name, content);
    expect(pairs(report)).toEqual(expected);
    expect(report).toMatchObject({ valid: true, format, issues: [], errors: 0 });
  });

  it.each([
    ['a.csv', csv],
    ['a.tsv', tsv],
    ['a.jsonl', jsonl],
  ])(
    '%s is the same with CRLF, a byte order mark, blank lines, no last line end, or gzip',
    (name, content) => {
      const variants = [
        content.replaceAll('\n', '\r\n'),
        `\ufeff${content}`,
        content.replaceAll('\n', '\n\n'),
        content.trimEnd(),
        gzipSync(content),
      ];
      for (const variant of variants) expect(pairs(read(name, variant))).toEqual(expected);
      expect(pairs(read(`${name}.gz`, gzipSync(content)))).toEqual(expected);
    },
  );

  it('an explicit format wins over the name', () => {
    expect(pairs(read('a.csv', jsonl, { format: 'jsonl' }))).toEqual(expected);
  });

  it('reports the hash and size of the bytes as they were given', () => {
    const bytes = gzipSync(csv);
    expect(read('a.csv.gz', bytes)).toMatchObject({
      name: 'a.csv.gz',
      hash: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      bytes: bytes.length,
    });
  });

  it('keeps line breaks inside quoted CSV cells and the line numbers after them', () => {
    const report = read('a.csv', 'text,label\n"two\nlines",a\n\nlast,b\n');
    expect(report.examples.map(({ input, line }) => [input.text, line])).toEqual([
      ['two\nlines', 2],
      ['last', 5],
    ]);
  });

  it('reads mixed line ends', () => {
    const report = read('a.csv', 'text,label\r\na,x\nb,y\r\n"c\r\nd",z\ne,x');
    expect(report.examples.map(({ input, line }) => [input.text, line])).toEqual([
      ['a', 2],
      ['b', 3],
      ['c\r\nd', 4],
      ['e', 6],
    ]);
  });

  it('reads both dialects of TSV', () => {
    const quoted = 'text\tlabel\n"He said ""no"" and\nleft"\ta\n';
    expect(pairs(read('a.tsv', quoted))).toEqual([['He said "no" and\nleft', 'a']]);
    const plain = 'text\tlabel\n"Wait," he said\ta\n"open\ta\nclose"\tb\n';
    expect(pairs(read('a.tsv', plain))).toEqual([
      ['"Wait," he said', 'a'],
      ['"open', 'a'],
      ['close"', 'b'],
    ]);
  });
});

describe('columns', () => {
  it('reads pairs and languages', () => {
    const report = read('a.jsonl', '{"text":"a","text_pair":"b","label":"x","language":"sw"}');
    expect(report.examples).toEqual([
      { input: { text: 'a', textPair: 'b' }, gold: 'x', language: 'sw', line: 1 },
    ]);
    expect(report.languages).toEqual({ sw: 1 });
  });

  it.each([
    ['index_id\tcategory\ttext', '7\tsports\ta', { text: 'text', label: 'category' }],
    [
      'sentence1\tsentence2\tlabel',
      'a\tb\t1',
      { text: 'sentence1', textPair: 'sentence2', label: 'label' },
    ],
    [
      'label\tpremise\thypothesis',
      'x\ta\tb',
      { text: 'premise', textPair: 'hypothesis', label: 'label' },
    ],
    ['sentence\tlabel', 'a\tx', { text: 'sentence', label: 'label' }],
    ['Review\tSentiment', 'a\tx', { text: 'Review', label: 'Sentiment' }],
    ['text\tsentence\tlabel', 'a\tb\tx', { text: 'text', label: 'label' }],
  ])('knows "%s" and reports what it took', (header, row, columns) => {
    const report = read('a.tsv', `${header}\n${row}\n`);
    expect(report.columns).toEqual(columns);
    expect(report.examples[0]!.input.text).toBe('a');
    expect(report.valid).toBe(true);
  });

  it('takes columns by name, by index, and none where told so', () => {
    const named = 'review_en,review_fr,label\na,b,x\n';
    expect(pairs(read('a.csv', named, { columns: { text: 'review_fr' } }))).toEqual([['b', 'x']]);
    const bare = 'a,x\nb,y\n';
    expect(pairs(read('a.csv', bare, { columns: { text: 0, label: 1 } }))).toEqual([
      ['a', 'x'],
      ['b', 'y'],
    ]);
    const headed = read('a.csv', named, { header: true, columns: { text: 1, label: 2 } });
    expect(pairs(headed)).toEqual([['b', 'x']]);
    const single = read('a.csv', 'text,sentence2,label\na,b,x\n', { columns: { textPair: null } });
    expect(single.examples[0]!.input).toEqual({ text: 'a' });
  });

  it('refuses a role that there is not', () => {
    expect(() => read('a.csv', 'a,b', { columns: { lable: 1 } })).toThrow(
      expect.objectContaining({ code: 'bad_option', message: expect.stringContaining('lable') }),
    );
  });

  it('gives rows without language the one of the options', () => {
    const rows = '{"text":"a","label":"x"}\n{"text":"b","label":"y","language":"fi"}';
    expect(read('a.jsonl', rows, { language: 'en' }).languages).toEqual({ en: 1, fi: 1 });
  });

  it('needs no labels for prediction', () => {
    const report = parse('a.csv', 'text\nhello\n', { purpose: 'predict' });
    expect(report.examples).toEqual([
      { input: { text: 'hello' }, gold: undefined, language: undefined, line: 2 },
    ]);
    expect(report).toMatchObject({ valid: true, warnings: 0 });
  });

  it.each([
    ['empty cells', 'a.csv', 'text,label\nhello,\nworld,\n'],
    ['null', 'a.jsonl', '{"text":"hello","label":null}\n{"text":"world","label":[]}\n'],
    ['two columns', 'a.csv', 'text,category,class\nhello,,a\nworld,b,\n'],
  ])('and reads none then, whatever is in their place: %s', (_, name, content) => {
    const { valid, examples, columns } = parse(name, content, { purpose: 'predict' });
    expect(valid).toBe(true);
    expect(examples.map(({ input, gold }) => [input.text, gold])).toEqual([
      ['hello', undefined],
      ['world', undefined],
    ]);
    expect(columns).toEqual({ text: 'text' });
  });

  it('takes numbers and booleans of JSON as labels', () => {
    const rows = '{"text":"a","label":1}\n{"text":"b","label":"1"}\n{"text":"c","label":false}';
    expect(read('a.jsonl', rows).labels).toEqual({ '1': 2, false: 1 });
  });

  it('survives keys and labels that objects have by themselves', () => {
    const rows = ['__proto__', 'constructor', 'toString'].map(
      (label, i) => `{"text":"t${i}","label":"${label}","__proto__":1,"constructor":2}\n`,
    );
    const report = read('a.jsonl', rows.join(''));
    expect(report.valid).toBe(true);
    expect(Object.entries(report.labels)).toEqual([
      ['__proto__', 1],
      ['constructor', 1],
      ['toString', 1],
    ]);
    expect(read('b.jsonl', '{"text":"a"}', { columns: { label: 'toString' } }).counts).toEqual({
      missing_column: 1,
    });
  });
});

describe('files that cannot be read', () => {
  it.each([
    ['an empty file', 'a.jsonl', '', 'empty_file'],
    ['nothing but blank lines', 'a.csv', '\r\n \n\t\n', 'empty_file'],
    ['an empty file with a byte order mark', 'a.csv', '\ufeff', 'empty_file'],
    ['a header without rows', 'a.csv', 'text,label\n', 'empty_file'],
    ['a spreadsheet', 'a.csv', Buffer.from('504b030414000600', 'hex'), 'not_text'],
    ['UTF-16', 'a.csv', Buffer.from('\ufefftext,label\na,b\n', 'utf16le'), 'not_text'],
    ['UTF-16 without a mark', 'a.csv', Buffer.from('text,label\na,b\n', 'utf16le'), 'not_text'],
    ['damaged gzip', 'a.csv.gz', gzipSync('text,label\na,b\n').subarray(0, 20), 'damaged_gzip'],
  ])('%s', (_, name, content, code) => {
    const report = parse(name, content);
    expect(report.issues).toMatchObject([{ code, severity: 'error', line: null }]);
    expect(report).toMatchObject({ valid: false, errors: 1, examples: [] });
  });

  it('refuses more bytes than the limit, also when they come compressed', () => {
    const content = 'text,label\n'.padEnd(2000, 'x');
    const limits = { fileBytes: 1000 };
    for (const bytes of [content, gzipSync(content)]) {
      expect(parse('a.csv', bytes, { limits }).issues).toMatchObject([
        { code: 'file_too_large', limit: 1000, message: expect.stringContaining('1,000 bytes') },
      ]);
    }
  });

  it.each([
    ['no such column', 'a.csv', 'text,colour\na,b\n', 'missing_column', 1],
    ['no such key', 'a.jsonl', '{"text":"a"}\n{"text":"b"}\n', 'missing_column', null],
    ['two columns for one role', 'a.csv', 'sentence,review,label\na,b,c\n', 'ambiguous_column', 1],
    ['one name twice', 'a.csv', 'text,text,label\na,b,c\n', 'ambiguous_column', 1],
    ['two columns without header', 'a.tsv', 'I like it\tgood\nso bad\tbad\n', 'no_header', 1],
  ])('%s', (_, name, content, code, line) => {
    const report = parse(name, content);
    expect(report.issues).toMatchObject([{ code, line, severity: 'error' }]);
    expect(report.examples).toEqual([]);
    expect(report.issues[0]!.suggestion).toMatch(/columns/);
  });

  it('keeps the message short where the columns are long or many', () => {
    const names = Array.from({ length: 1000 }, (_, i) => `${i}`.repeat(50));
    const [issue] = parse('a.csv', `${names.join(',')}\n${names.join(',')}\n`).issues;
    expect(issue!.message).toMatch(/ and 980 more$/);
    expect(issue!.message.length).toBeLessThan(2000);
  });

  it('names the columns that there are', () => {
    const [issue] = parse('a.csv', 'text,colour\na,b\n').issues;
    expect(issue).toMatchObject({ columns: ['text', 'colour'], path: 'label' });
    expect(issue!.message).toContain('"text", "colour"');
    const chosen = parse('a.csv', 'text,label\na,b\n', { columns: { label: 'mood' } });
    expect(chosen.issues).toMatchObject([{ code: 'missing_column', path: 'mood' }]);
  });
});

describe('rows that cannot be used', () => {
  it('reports line and byte of what is not UTF-8, and goes on', () => {
    const bytes = Buffer.concat([
      Buffer.from('\ufefftext,label\né,a\n'),
      Buffer.from('caf\u00e9,b\n', 'latin1'),
      Buffer.from('ok,c\n'),
    ]);
    const report = read('a.csv', bytes);
    expect(report.issues).toMatchObject([
      { code: 'invalid_utf8', line: 3, byteOffset: bytes.indexOf(0xe9), excerpt: 'caf\ufffd,b' },
    ]);
    expect(pairs(report)).toEqual([
      ['é', 'a'],
      ['ok', 'c'],
    ]);
  });

  it.each([
    ['a lone continuation byte', [0x80], 0],
    ['a sequence cut short', [0x61, 0xef, 0xbf, 0x62], 1],
    ['an overlong form', [0xc3, 0xa9, 0xc0, 0xaf], 2],
    ['half of a surrogate pair', [0x61, 0xed, 0xa0, 0x80], 1],
    ['a real U+FFFD before', [0xef, 0xbf, 0xbd, 0xff], 3],
    ['a sequence cut by the end of the line', [0x61, 0x62, 0xf0, 0x9f], 2],
  ])('finds the first bad byte of %s', (_, bad, offset) => {
    const first = '{"text":"a","label":"x"}\n{"text":"';
    const bytes = Buffer.concat([Buffer.from(first), Buffer.from(bad), Buffer.from('\n')]);
    expect(read('a.jsonl', bytes).issues[0]).toMatchObject({
      code: 'invalid_utf8',
      line: 2,
      byteOffset: first.length + offset,
    });
  });

  it('drops a CSV row that spans a bad line', () => {
    const bytes = Buffer.from('text,label\n"a\n\u00ff\nb",x\nc,y\n', 'latin1');
    expect(pairs(read('a.csv', bytes))).toEqual([['c', 'y']]);
  });

  it.each([
    ['{"text":"a","label":"x"', 'malformed_json', /not valid JSON/],
    ['["a","x"]', 'malformed_json', /an array/],
    ['"a"', 'malformed_json', /a string/],
    ['null', 'malformed_json', /null/],
    ['{"label":"x"}', 'missing_text', /no text/],
    ['{"text":null,"label":"x"}', 'missing_text', /no text/],
    ['{"text":"","label":"x"}', 'empty_text', /is empty/],
    ['{"text":" \\n","label":"x"}', 'empty_text', /white space/],
    ['{"text":5,"label":"x"}', 'wrong_type', /of type number, not a text/],
    ['{"text":["a"],"label":"x"}', 'wrong_type', /an array, not a text/],
    ['{"text":"a"}', 'missing_label', /no label/],
    ['{"text":"a","label":null}', 'missing_label', /no label/],
    ['{"text":"a","label":"  "}', 'missing_label', /no label/],
    ['{"text":"a","label":["x","y"]}', 'wrong_type', /an array/],
    ['{"text":"a","label":"x","language":7}', 'wrong_type', /language tag/],
  ])('%s is %s', (line, code, message) => {
    const good = '{"text":"good","label":"x"}';
    const report = read('a.jsonl', `${good}\n${line}\n`);
    expect(report.issues).toMatchObject([
      { code, severity: 'error', line: 2, message: expect.stringMatching(message) },
    ]);
    expect(report.issues[0]!.suggestion).toBeTruthy();
    expect(pairs(report)).toEqual([['good', 'x']]);
  });

  it('says how to split an array into lines', () => {
    const report = read('a.jsonl', '[\n{"text":"a","label":"x"}\n]');
    expect(report.counts.malformed_json).toBe(2);
    expect(report.issues[0]!.suggestion).toContain('jq');
  });

  it('reports every problem of a row', () => {
    const report = read('a.jsonl', '{"text":"","label":"x"}\n{"text":"","label":[]}\n');
    expect(report.issues.map(({ line, code }) => [line, code])).toEqual([
      [1, 'empty_text'],
      [2, 'empty_text'],
      [2, 'wrong_type'],
    ]);
  });

  it('wants a second text in every row of a file of pairs', () => {
    const rows = '{"text":"a","text_pair":"b","label":"x"}\n{"text":"c","label":"y"}';
    expect(read('a.jsonl', rows).issues).toMatchObject([
      { code: 'missing_text', line: 2, path: 'text_pair' },
    ]);
  });

  it('reports broken CSV rows by line and reads those after them', () => {
    const rows = ['text,label', 'a,x', '"b"c,x', '', 'd,y', '5" disk,x', 'e,z', '"open,x', 'f,x'];
    const report = read('a.csv', rows.join('\n'));
    expect(report.issues).toMatchObject([
      {
        code: 'malformed_csv',
        line: 3,
        message: expect.stringContaining('follows a closing quote'),
      },
      { code: 'malformed_csv', line: 6, message: expect.stringContaining('inside a cell') },
      { code: 'malformed_csv', line: 8, message: expect.stringContaining('never closed') },
    ]);
    expect(pairs(report)).toEqual([
      ['a', 'x'],
      ['d', 'y'],
      ['e', 'z'],
      ['f', 'x'],
    ]);
  });

  it('gives up on a file that is no CSV at all', () => {
    const report = read('a.csv', `text,label\n${'a "b" c,d\n'.repeat(1000)}`);
    expect(report.counts.malformed_csv).toBe(101);
    expect(report.issues.at(-1)!.line).toBeLessThan(110);
  });

  it('reports rows with too many or too few columns', () => {
    const report = read('a.csv', 'text,label\nWell, yes,x\nonly\nfine,y\n');
    expect(report.issues).toMatchObject([
      { code: 'wrong_column_count', line: 2, count: 3, expected: 2 },
      { code: 'wrong_column_count', line: 3, count: 1, expected: 2 },
    ]);
    expect(pairs(report)).toEqual([['fine', 'y']]);
  });

  it('accepts 100,000 characters and refuses one more, with both numbers', () => {
    const row = (length: number) => JSON.stringify({ text: 'é'.repeat(length), label: 'x' });
    const report = read('a.jsonl', `${row(100_000)}\n${row(100_001)}\n`);
    expect(report.examples).toHaveLength(1);
    expect(report.issues).toMatchObject([
      { code: 'text_too_long', line: 2, path: 'text', length: 100_001, limit: 100_000 },
    ]);
    expect(report.issues[0]!.message).toContain('100,001 characters; the limit is 100,000');
    expect(report.issues[0]!.excerpt!.length).toBeLessThan(100);
  });

  it('refuses labels that are texts', () => {
    const report = read('a.csv', `text,label\na,${'x'.repeat(201)}\n`);
    expect(report.issues).toMatchObject([{ code: 'label_too_long', length: 201, limit: 200 }]);
  });
});

describe('a training file as a whole', () => {
  const codesOf = (rows: readonly unknown[], options?: ParseOptions) =>
    parse('a.jsonl', jsonLines(rows), options).counts;

  it('has no issues where there are none', () => {
    expect(codesOf(cleanRows())).toEqual({});
  });

  it('needs two labels', () => {
    const rows = cleanRows().map((row) => ({ ...row, label: 'same' }));
    expect(codesOf(rows)).toEqual({ single_label: 1 });
    expect(codesOf(rows, { purpose: 'evaluate' })).toEqual({});
  });

  it('refuses 300 labels by count and limit; 256 are fine', () => {
    const rows = (labels: number) =>
      Array.from({ length: 8 * labels }, (_, i) => ({
        text: `text ${i}`,
        label: `l${i % labels}`,
      }));
    const report = parse('a.jsonl', jsonLines(rows(300)));
    expect(report.issues).toMatchObject([{ code: 'too_many_labels', count: 300, limit: 256 }]);
    expect(report.issues[0]!.message).toContain('300 different labels; the limit is 256');
    expect(codesOf(rows(256))).toEqual({});
    expect(codesOf(rows(300), { limits: { labels: 300 } })).toEqual({});
  });

  it('warns of labels with few examples', () => {
    const report = parse('a.jsonl', jsonLines([...cleanRows(), { text: 'a', label: 'rare' }]));
    expect(report).toMatchObject({ valid: true, warnings: 1 });
    expect(report.issues).toMatchObject([
      { code: 'few_examples_for_label', severity: 'warning', label: 'rare', count: 1, limit: 8 },
    ]);
  });

  it('warns of repeated rows and of texts with two labels, naming the first line', () => {
    const [first] = cleanRows();
    const rows = [...cleanRows(), first, { ...first, label: 'odd' }];
    const report = parse('a.jsonl', jsonLines(rows));
    expect(report).toMatchObject({ valid: true, errors: 0, warnings: 2 });
    expect(report.issues).toMatchObject([
      { code: 'duplicate_row', line: 17, firstLine: 1 },
      { code: 'conflicting_labels', line: 18, firstLine: 1, labels: ['even', 'odd'] },
    ]);
    expect(report.examples).toHaveLength(18);
  });

  it('does not take different pairs for repeated rows', () => {
    const rows = [
      { text: 'a', text_pair: 'b', label: 'x' },
      { text: 'a', text_pair: 'c', label: 'x' },
      { text: 'b', text_pair: 'a', label: 'x' },
    ];
    expect(codesOf(rows, { purpose: 'evaluate' })).toEqual({});
  });

  it('reads labels without the white space around them, and says so', () => {
    const rows = cleanRows();
    rows[0] = { text: 'padded', label: ' even\t' };
    const report = parse('a.jsonl', jsonLines(rows));
    expect(report.issues).toMatchObject([{ code: 'whitespace_label', line: 1, label: 'even' }]);
    expect(Object.keys(report.labels)).toEqual(['even', 'odd']);
  });

  it('warns once of each unknown language tag', () => {
    const tags = ['en', 'klingonish', 'klingonish', 'zh-Hant', 'eng_Latn', 'nap', 'gsw', '??'];
    const rows = tags.map((language, i) => ({ text: `t${i}`, label: 'x', language }));
    const report = parse('a.jsonl', jsonLines(rows), { purpose: 'evaluate' });
    expect(report.issues).toMatchObject([
      { code: 'unknown_language_tag', line: 2, tag: 'klingonish', count: 2, severity: 'warning' },
      { code: 'unknown_language_tag', line: 8, tag: '??', count: 1 },
    ]);
    expect(report.languages.klingonish).toBe(2);
  });

  it('lists no more issues than the limit, counts all, and keeps errors before warnings', () => {
    const flood = Array.from({ length: 500 }, () => cleanRows()[0]);
    const report = parse('a.jsonl', `${jsonLines([...cleanRows(), ...flood])}{"text":1}\n`);
    expect(report.issues).toHaveLength(100);
    expect(report.counts.duplicate_row).toBe(500);
    expect(report).toMatchObject({ errors: 2, warnings: 500 });
    expect(report.issues.filter(({ severity }) => severity === 'error')).toHaveLength(2);
    const lines = report.issues.map(({ line }) => line ?? 0);
    expect(lines).toEqual(lines.toSorted((a, b) => a - b));
  });
});

describe('any file', () => {
  const names = fc.constantFrom('a.csv', 'a.tsv', 'a.jsonl', 'a.csv.gz', 'a');
  // Pieces that make headers, quotes and broken characters likely.
  const bytes = fc
    .array(
      fc
        .oneof(
          fc.constantFrom(
            'text',
            'label',
            ',',
            '\t',
            '\n',
            '\r\n',
            '"',
            '{"text":"a"}',
            '[',
            '\ufeff',
          ),
          fc.string(),
        )
        .map((part) => Buffer.from(part))
        .chain((part) => fc.constantFrom(part, Buffer.concat([part, Buffer.from([0xff])]))),
    )
    .map((parts) => Buffer.concat(parts));

  it('gives a report whose numbers agree, and never throws', () => {
    fc.assert(
      fc.property(names, fc.oneof(bytes, fc.uint8Array()), (name, content) => {
        const report = parse(name, content);
        const counted = Object.values(report.counts).reduce((a, b) => a + b, 0);
        expect(counted).toBe(report.errors + report.warnings);
        expect(report.issues).toHaveLength(Math.min(counted, 100));
        expect(report.valid).toBe(report.errors === 0);
        const lines = Buffer.from(content).toString('latin1').split('\n').length;
        for (const { line } of [...report.issues, ...report.examples]) {
          if (line !== null) expect(line >= 1 && line <= lines).toBe(true);
        }
        expect(report.valid || report.issues.length > 0).toBe(true);
        expect(report.examples.length > 0 || !report.valid).toBe(true);
      }),
    );
  });

  const cell = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => text.trim() !== '');
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;

  it('gives back what was written, in each format', () => {
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 5 }), (texts) => {
        const delimited = (delimiter: string) =>
          `text${delimiter}label\n${texts.map((text) => `${quote(text)}${delimiter}x\n`).join('')}`;
        const contents = {
          'a.csv': delimited(','),
          'a.tsv': delimited('\t'),
          'a.jsonl': jsonLines(texts.map((text) => ({ text, label: 'x' }))),
        };
        for (const [name, content] of Object.entries(contents)) {
          expect(pairs(read(name, content))).toEqual(texts.map((text) => [text, 'x']));
        }
      }),
    );
  });
});
