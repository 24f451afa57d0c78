/** Streams of bytes to inputs: the same whatever the pieces they come in, and never all at once. */
import { gzipSync } from 'node:zlib';
import { textClassification as task } from '@polyprompt/tasks';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { givenItems, type InputFormat, type Item, readItems } from './inputs.ts';
import { MAX_LINE_BYTES } from './lines.ts';
import { makeWorld } from './testing/cli.ts';

const world = makeWorld();
afterAll(world.remove);

type TextItem = Item<{ readonly text: string; readonly textPair?: string }>;

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function all(path: string, stdin?: AsyncIterable<Buffer>, format?: InputFormat) {
  const items: TextItem[] = [];
  for await (const block of readItems(task, { path, format }, stdin)) items.push(...block);
  return items;
}

const line = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify({ text: `${text}x` })),
  fc.constantFrom(
    '',
    '  ',
    '{"text": 1}',
    '{"text": ""}',
    '{"body": "no text"}',
    '{"text"',
    '{"text":"a","text_pair":"b"}',
  ),
);

describe('readItems', () => {
  it('gives the same rows for any cut of the stream', async () => {
    const lines = fc.array(line, { maxLength: 12 }).map((some) => ['{"text":"first"}', ...some]);
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
    const property = fc.asyncProperty(lines, sizes, async (rows, pieces) => {
      const bytes = Buffer.from(rows.join('\n'));
      const whole = await all('-', inPieces(bytes, [bytes.length]), 'jsonl');
      expect(await all('-', inPieces(bytes, pieces), 'jsonl')).toEqual(whole);
      const filled = rows.flatMap((row, i) => (row.trim() === '' ? [] : [i + 1]));
      expect(whole.map((item) => item.line)).toEqual(filled);
    });
    await fc.assert(property, { numRuns: 50 });
  });

  it('reads plain text line by line and finds what is not UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('\ufeffone "quoted"\r\n\n  two\t\n'),
      Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a]),
      Buffer.from('four'),
    ]);
    const items = await all('-', inPieces(bytes, [7]));
    expect(items).toEqual([
      { line: 1, input: { text: 'one "quoted"' } },
      { line: 3, input: { text: 'two' } },
      {
        line: 4,
        issue: expect.objectContaining({ code: 'invalid_utf8', message: 'the line is not UTF-8' }),
      },
      { line: 5, input: { text: 'four' } },
    ]);
  });

  it('tells the formats apart by name, then by the first character', async () => {
    const expected = [{ line: 1, input: { text: 'a' } }];
    for (const name of ['a.jsonl', 'a.NDJSON', 'a.log']) {
      expect(await all(world.file(name, '{"text":"a"}\n'))).toEqual(expected);
    }
    expect(await all(world.file('a.txt', '{"text":"a"}'))).toEqual([
      { line: 1, input: { text: '{"text":"a"}' } },
    ]);
    const csv = 'text,text_pair\n"a\nb",c\nd,e\n';
    expect(await all(world.file('a.csv', csv))).toEqual([
      { line: 2, input: { text: 'a\nb', textPair: 'c' } },
      { line: 4, input: { text: 'd', textPair: 'e' } },
    ]);
    const gzipped = world.file('a.jsonl.gz', gzipSync('{"text":"a"}\n'));
    expect(await all(gzipped)).toEqual(expected);
  });

  it('yields rows of an endless stream', async () => {
    async function* endless() {
      for (;;) yield Buffer.from('again\n');
    }
    const blocks = readItems(task, { path: '-' }, endless());
    for (let n = 1; n <= 3; n++) {
      expect((await blocks.next()).value).toEqual([{ line: n, input: { text: 'again' } }]);
    }
    await blocks.return(undefined);
  });

  it('refuses a file without the column, by the columns that it has', async () => {
    const file = world.file('columns.jsonl', '{"body":"a"}\n{"body":"b"}\n');
    await expect(all(file)).rejects.toThrow(/columns\.jsonl.*body/);
    expect(await all(world.file('later.jsonl', '{"text":"a"}\n{"body":"b"}\n'))).toMatchObject([
      { line: 1, input: { text: 'a' } },
      { line: 2, issue: { code: 'missing_column' } },
    ]);
  });

  it.each([
    ['cut off', gzipSync('{"text":"a"}\n').subarray(0, 20), /unexpected end of file/],
    ['not gzip at all', Buffer.from('{"text":"a"}\n'), /incorrect header check/],
  ])('names a .gz that is %s, as bad input', async (_, bytes, message) => {
    const reading = all(world.file('damaged.jsonl.gz', bytes));
    await expect(reading).rejects.toMatchObject({
      name: 'CliError',
      code: 'bad_input',
      message: expect.stringMatching(/damaged\.jsonl\.gz cannot be decompressed/),
    });
    await expect(reading).rejects.toThrow(message);
  });

  it('refuses files that are empty, missing, folders, or one endless line', async () => {
    await expect(all(world.file('empty.txt', '\n \n'))).rejects.toThrow(/empty\.txt is empty/);
    await expect(all(world.path('none'))).rejects.toMatchObject({ code: 'no_such_file' });
    await expect(all(world.path())).rejects.toThrow(/is a folder/);
    async function* zeros() {
      for (;;) yield Buffer.alloc(MAX_LINE_BYTES / 4, 'x');
    }
    await expect(all('-', zeros())).rejects.toThrow(/longer than the limit of 16,777,216 bytes/);
  });
});

describe('givenItems', () => {
  it('keeps texts as they are, line breaks included', () => {
    expect(
      givenItems(task, [
        { text: 'a\nb', text_pair: 'c' },
        { text: ' ', text_pair: 'd' },
      ]),
    ).toEqual([
      { line: 1, input: { text: 'a\nb', textPair: 'c' } },
      { line: 2, issue: expect.objectContaining({ code: 'empty_text' }) },
    ]);
  });
});
