import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ParseOptions } from '../datasets/report.ts';
import { jsonLines, source } from '../testing/sources.ts';
import { checkQuestionSplits, parseQuestions } from './parse.ts';

const CONTEXT = 'The Nile 🌊 flows north. It is 6650 km long, the Nile.';
const row = { question: 'How long is it?', context: CONTEXT };
const gold = [{ text: '6650 km', answer_start: 30 }];

const parse = (rows: readonly object[], options?: ParseOptions) =>
  parseQuestions(source('a.jsonl', jsonLines(rows)), options);
const squad = (qas: readonly object[], context: unknown = CONTEXT) => ({
  version: '1.1',
  data: [{ title: 't', paragraphs: [{ context, qas }] }],
});
const parseSquad = (document: unknown, options?: ParseOptions) =>
  parseQuestions(source('a.json', JSON.stringify(document, null, 1)), options);

describe('ways to write a question', () => {
  const expected = [{ text: '6650 km', start: 30 }];
  it.each([
    ['answers with places', { answers: gold }],
    ['answers with places named start', { answers: [{ text: '6650 km', start: 30 }] }],
    ['answers as texts', { answers: ['6650 km'] }],
    [
      'lists as in the data sets of Hugging Face',
      { answers: { text: ['6650 km'], answer_start: [30] } },
    ],
    ['one answer', { answer: '6650 km' }],
    ['one answer with its place', { answer: '6650 km', answer_start: 30 }],
    ['one answer as an object', { answer: { text: '6650 km', answer_start: 30 } }],
    ['the same answer twice', { answers: [...gold, ...gold] }],
  ])('%s', (_, cells) => {
    const report = parse([{ ...row, ...cells }]);
    expect(report.issues).toEqual([]);
    expect(report.examples).toEqual([{ input: row, gold: expected, language: undefined, line: 1 }]);
    expect(report.labels).toEqual({ answerable: 1 });
  });

  it('CSV', () => {
    const csv = `question,context,answer,answer_start,lang\n"Who?","Ann met Bob, and Bob left.",Bob,17,en\n`;
    const { examples, valid } = parseQuestions(source('a.csv', csv));
    expect(valid).toBe(true);
    expect(examples).toMatchObject([
      { gold: [{ text: 'Bob', start: 17 }], language: 'en', line: 2 },
    ]);
  });

  it('SQuAD 1.1 with its lines, ids and languages', () => {
    const document = {
      language: 'en',
      ...squad([
        { id: 'q1', question: 'How long?', answers: gold },
        {
          id: 7,
          question: 'Where to?',
          answers: [{ text: 'north', answer_start: 17 }],
          language: 'sw',
        },
      ]),
    };
    const report = parseSquad(document);
    expect(report).toMatchObject({ valid: true, format: 'json', languages: { en: 1, sw: 1 } });
    expect(report.examples.map(({ input, line }) => [input.id, line])).toEqual([
      ['q1', 11],
      ['7', 21],
    ]);
  });

  it('SQuAD 2.0: impossible questions, with plausible answers or without', () => {
    const report = parseSquad(
      squad([
        { question: 'How long?', answers: gold, is_impossible: false },
        { question: 'How deep?', answers: [], is_impossible: true, plausible_answers: gold },
        { question: 'How wide?', answers: [] },
      ]),
    );
    expect(report).toMatchObject({ valid: true, labels: { answerable: 1, impossible: 2 } });
    expect(report.examples.map((example) => example.gold)).toEqual([expected, [], []]);
  });

  it('counts places in code points, and says so to those who do not', () => {
    expect(CONTEXT.indexOf('6650')).toBe(31);
    const { issues } = parse([{ ...row, answers: [{ text: '6650 km', answer_start: 31 }] }]);
    expect(issues).toMatchObject([
      {
        code: 'misplaced_answer',
        start: 31,
        nearest: 30,
        suggestion: 'count Unicode code points instead of UTF-16 units: 30',
      },
    ]);
  });

  it('needs no answers to predict', () => {
    const report = parse([row], { purpose: 'predict' });
    expect(report).toMatchObject({ valid: true, examples: [{ input: row, gold: undefined }] });
  });

  it('finds an answer again wherever it is said to be', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(word, word, word, (before, answer, after) => {
        fc.pre(answer.trim() !== '');
        const context = `${before} ${answer} ${after}`;
        const start = [...before].length + 1;
        const report = parse([
          { question: 'q', context, answers: [{ text: answer, answer_start: start }] },
        ]);
        expect(report.errors).toBe(0);
        expect(report.examples[0]!.gold).toEqual([{ text: answer, start }]);
      }),
    );
  });
});

describe('rows that cannot be used', () => {
  const line2 = (cells: object) => parse([{ ...row, answers: gold }, cells]).issues;

  it.each([
    ['an empty context', { ...row, context: '', answers: gold }, 'empty_text', 'context'],
    ['a blank context', { ...row, context: ' \n', answers: gold }, 'empty_text', 'context'],
    ['no context', { question: 'q', answers: gold }, 'missing_text', 'context'],
    ['an empty question', { ...row, question: '', answers: gold }, 'empty_text', 'question'],
    [
      'a question that is a number',
      { ...row, question: 3, answers: gold },
      'wrong_type',
      'question',
    ],
    ['no answer', row, 'missing_answer', undefined],
    [
      'an empty answer',
      { ...row, answers: [{ text: '', answer_start: 0 }] },
      'empty_text',
      'answers[0]',
    ],
    [
      'an answer that is a number',
      { ...row, answers: [{ text: 6650 }] },
      'wrong_type',
      'answers[0]',
    ],
    ['answers that are a number', { ...row, answers: 3 }, 'wrong_type', 'answers'],
    [
      'a place that is a text',
      { ...row, answers: [{ text: 'Nile', answer_start: 'x' }] },
      'wrong_type',
      'answers[0]',
    ],
    [
      'a place before the text',
      { ...row, answers: [{ text: 'Nile', answer_start: -1 }] },
      'wrong_type',
      'answers[0]',
    ],
    [
      'a place after the text',
      { ...row, answers: [{ text: 'Nile', answer_start: 999 }] },
      'misplaced_answer',
      'answers[0]',
    ],
    [
      'an answer that is not there',
      { ...row, answers: ['Congo'] },
      'answer_not_in_context',
      'answers[0]',
    ],
    [
      'an impossible question with an answer',
      { ...row, answers: gold, is_impossible: true },
      'impossible_with_answers',
      'is_impossible',
    ],
    [
      'half impossible',
      { ...row, answers: [], is_impossible: 'maybe' },
      'wrong_type',
      'is_impossible',
    ],
    [
      'a language that is a number',
      { ...row, answers: gold, language: 3 },
      'wrong_type',
      'language',
    ],
  ])('%s', (_, cells, code, path) => {
    const [issue, ...others] = line2(cells);
    expect(issue).toMatchObject({ code, line: 2, ...(path ? { path } : {}) });
    expect(others).toEqual([]);
  });

  it('name the nearest place of a misplaced answer', () => {
    const near = (answer_start: number) =>
      line2({ ...row, answers: [{ text: 'Nile', answer_start }] })[0];
    expect(near(5)).toMatchObject({ nearest: 4, start: 5, answer: 'Nile', excerpt: row.question });
    expect(near(50)).toMatchObject({ nearest: 48, message: expect.stringContaining('"le."') });
  });

  it('show how the context spells what is nearly in it', () => {
    const suggestion = (answer: string, context = CONTEXT) =>
      line2({ question: 'q', context, answers: [answer] })[0]!.suggestion;
    expect(suggestion('the nile 🌊')).toBe('the context spells it "The Nile 🌊"');
    expect(suggestion('6650km')).toContain('character by character');
    expect(suggestion('flows  north')).toBe('the context spells it "flows north"');
    expect(suggestion('caf\u00e9', 'the cafe\u0301 here')).toContain('spells it "cafe\u0301"');
  });

  it('warn where the place is left open', () => {
    const report = parse([{ ...row, answer: 'Nile' }]);
    expect(report.issues).toMatchObject([
      { code: 'unplaced_answer', severity: 'warning', count: 2 },
    ]);
    expect(report.examples[0]!.gold).toEqual([{ text: 'Nile', start: 4 }]);
  });

  it('take an answer that overlaps another occurrence of its text', () => {
    const answers = [{ text: 'na na', answer_start: 3 }];
    const report = parse([{ question: 'q', context: 'na na na', answers }]);
    expect(report.issues).toEqual([]);
    expect(report.examples[0]!.gold).toEqual([{ text: 'na na', start: 3 }]);
  });

  // To compare the answer with every place that begins like it takes minutes.
  it('find a long answer in a context of one letter', { timeout: 15_000 }, () => {
    const context = 'a'.repeat(1_000_000);
    const answer = 'a'.repeat(400_000);
    const report = parse([
      { question: 'placed?', context, answers: [{ text: answer, answer_start: 600_000 }] },
      { question: 'anywhere?', context, answers: [answer] },
      { question: 'misplaced?', context, answers: [{ text: answer, answer_start: 600_001 }] },
    ]);
    expect(report.examples.map(({ gold: found }) => found![0]!.start)).toEqual([600_000, 0]);
    expect(report.issues).toMatchObject([
      { code: 'unplaced_answer', line: 2, count: 2 },
      { code: 'misplaced_answer', line: 3, nearest: 400_000 },
    ]);
  });

  it('are named by their place in a SQuAD document', () => {
    const { issues, examples } = parseSquad(
      squad([
        { question: 'ok', answers: gold },
        { question: 'bad', answers: [...gold, { text: 'Nile', answer_start: 0 }] },
        { question: '', answers: gold },
      ]),
    );
    expect(issues).toMatchObject([
      { code: 'misplaced_answer', line: 19, path: 'data[0].paragraphs[0].qas[1].answers[1]' },
      { code: 'empty_text', line: 32, path: 'data[0].paragraphs[0].qas[2].question' },
    ]);
    expect(examples).toHaveLength(1);
  });

  it.each([
    [{ data: [{ paragraphs: 3 }] }, 'data[0].paragraphs'],
    [{ data: [{ paragraphs: [{ context: 'c' }] }] }, 'data[0].paragraphs[0].qas'],
    [{ data: [{ paragraphs: [7] }] }, 'data[0].paragraphs[0]'],
    [{ data: [{ paragraphs: [] }, 'x'] }, 'data[1]'],
  ])('or of what is wrong with it: %j', (document, path) => {
    expect(parseSquad(document).issues).toMatchObject([{ code: 'wrong_type', path }]);
  });

  it('refuse a context of a million characters and one more, with both numbers', () => {
    const context = (length: number) => `Nile${'x'.repeat(length - 4)}`;
    expect(parse([{ question: 'q', context: context(1_000_000), answer: 'Nile' }]).valid).toBe(
      true,
    );
    expect(
      parse([{ question: 'q', context: context(1_000_001), answer: 'Nile' }]).issues,
    ).toMatchObject([
      { code: 'text_too_long', path: 'context', length: 1_000_001, limit: 1_000_000 },
    ]);
  });
});

describe('a file as a whole', () => {
  it('needs a column for answers, said once', () => {
    expect(parse([row, row, row]).issues).toMatchObject([
      { code: 'missing_column', path: 'answers', columns: ['question', 'context'] },
    ]);
  });

  it('needs something to learn', () => {
    const impossible = { ...row, answers: [] };
    expect(parse([impossible]).issues).toMatchObject([{ code: 'no_answers', count: 1 }]);
    expect(parse([impossible], { purpose: 'evaluate' }).valid).toBe(true);
  });

  it('warns of repeated questions, in it and across splits', () => {
    const report = parse([
      { ...row, answers: gold },
      { ...row, answers: gold },
    ]);
    expect(report.issues).toMatchObject([{ code: 'duplicate_row', line: 2, firstLine: 1 }]);
    const dev = parse([
      { ...row, question: 'Other?', answers: gold },
      { ...row, answers: gold },
    ]);
    expect(checkQuestionSplits(report.examples, dev.examples).issues).toMatchObject([
      { code: 'row_in_train', line: 2, trainLine: 2 },
    ]);
  });

  it('keeps a long context once, however many questions are about it', () => {
    const parser = JSON.stringify(new URL('./parse.ts', import.meta.url).href);
    const code = `
      const { parseQuestions, checkQuestionSplits } = await import(${parser});
      const context = 'x'.repeat(999_999) + 'y';
      const answers = [{ text: 'y', answer_start: 999_999 }];
      const qas = Array.from({ length: 400 }, (_, i) => ({ question: 'q' + i, answers }));
      const bytes = Buffer.from(JSON.stringify({ data: [{ paragraphs: [{ context, qas }] }] }));
      const { examples } = parseQuestions({ name: 'a.json', bytes });
      console.log(checkQuestionSplits(examples, examples).warnings);`;
    // A copy for each question would take 400 MB.
    const args = ['--max-old-space-size=128', '--input-type=module', '-e', code];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout, stderr).toBe('400\n');
  }, 60_000);

  it('reads other column names', () => {
    const columns = { question: 'frage', context: 'text', answer: 'antwort' };
    const rows = [{ frage: 'Wer?', text: 'Ann ging.', antwort: 'Ann' }];
    expect(parse(rows, { columns }).examples[0]!.gold).toEqual([{ text: 'Ann', start: 0 }]);
  });

  it('never throws for a value that is no text either way', () => {
    const noText = JSON.parse('{"toString": 1}');
    const report = parse([{ ...row, answers: gold, is_impossible: noText }]);
    expect(report.issues).toMatchObject([{ code: 'wrong_type', path: 'is_impossible' }]);
  });

  it('never throws for anything', () => {
    const cell = fc.oneof(fc.jsonValue(), fc.constantFrom('Nile', CONTEXT, gold));
    const anyRow = fc.record(
      {
        question: cell,
        context: cell,
        answers: cell,
        answer: cell,
        answer_start: cell,
        is_impossible: cell,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 4 }), fc.boolean(), (rows, document) => {
        const report = document ? parseSquad(squad(rows)) : parse(rows);
        expect(report.valid).toBe(report.errors === 0);
        expect(report.examples.length).toBeLessThanOrEqual(rows.length);
        for (const { input, gold: answers } of report.examples) {
          for (const { text, start } of answers!) {
            const characters = [...input.context];
            expect(characters.slice(start, start + [...text].length).join('')).toBe(text);
          }
        }
      }),
    );
  });
});
