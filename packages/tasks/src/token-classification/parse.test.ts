import { describe, expect, it } from 'vitest';
import { DATASET_LIMITS } from '../datasets/limits.ts';
import type { ParseOptions } from '../datasets/report.ts';
import { jsonLines, source } from '../testing/sources.ts';
import { tokenClassification as task } from './index.ts';

const parse = (name: string, content: string, options: ParseOptions = {}) =>
  task.parse(source(name, content), { purpose: 'evaluate', ...options });
const rows = (...values: unknown[]) => jsonLines(values);
const tagsOf = (name: string, content: string, options?: ParseOptions) =>
  parse(name, content, options).examples.map(({ gold }) => gold?.tags?.join(' '));

describe('CoNLL', () => {
  it('reads words and the last column, sentences by blank lines', () => {
    const report = parse('a.conll', 'Anna NNP B-PER\nslept VBD O\n\n\nIn IN O\nOslo NNP B-LOC\n');
    expect(report).toMatchObject({ valid: true, format: 'conll', labels: { LOC: 1, PER: 1 } });
    expect(report.examples).toEqual([
      {
        input: { tokens: ['Anna', 'slept'] },
        gold: { tags: ['B-PER', 'O'] },
        language: undefined,
        line: 1,
      },
      {
        input: { tokens: ['In', 'Oslo'] },
        gold: { tags: ['O', 'B-LOC'] },
        language: undefined,
        line: 5,
      },
    ]);
  });

  it('takes any file of lines for it, whatever its name', () => {
    for (const name of ['train.txt', 'train.tsv', 'train', 'en.iob2', 'x.bio']) {
      expect(tagsOf(name, 'Anna\tB-PER\n.\tO\n')).toEqual(['B-PER O']);
    }
  });

  it('skips document starts and comments, but not the word #', () => {
    const content =
      '-DOCSTART- -X- O\n\n# text = We are # 1\n# id = 3\nWe PRP O\n# # O\n1 CD O\n\n# . O\n\n';
    const { examples, errors } = parse('a.conll', content);
    expect(errors).toBe(0);
    expect(examples.map(({ input }) => input.tokens)).toEqual([['We', '#', '1'], ['#']]);
  });

  it.each([
    [
      'tabs',
      '#Oslo\tB-LOC\nis\tO\n\n#\tO\n.\tO\n',
      [
        ['#Oslo', 'is'],
        ['#', '.'],
      ],
    ],
    ['spaces', '#Oslo B-LOC\nis O\n', [['#Oslo', 'is']]],
    ['a comment in front', '# comment\n#Oslo B-LOC\nis O\n', [['#Oslo', 'is']]],
    ['a longer comment in front', '#no word of it\n#Oslo\tO\nis\tO\n', [['#Oslo', 'is']]],
  ])('knows the first word of a file by its columns, with %s', (_, content, tokens) => {
    const { examples, errors } = parse('a.conll', content);
    expect(errors).toBe(0);
    expect(examples.map(({ input }) => input.tokens)).toEqual(tokens);
  });

  it('takes a word of white space for a word', () => {
    const { examples, errors } = parse('a.conll', ' is O \n\u3000 O\n\u00a0 O\n');
    expect(errors).toBe(0);
    expect(examples[0]!.input.tokens).toEqual(['is', '\u3000', '\u00a0']);
  });

  it('reads CoNLL-U without word ranges and empty nodes', () => {
    const row = (id: string, form: string, upos: string) =>
      [id, form, '_', upos, '_', '_', '0', 'dep', '_', '_'].join('\t');
    const content = [
      '# sent_id = 1',
      row('1-2', 'vámonos', '_'),
      row('1', 'vamos', 'VERB'),
      row('2', 'nos', 'PRON'),
      row('2.1', 'x', 'X'),
      row('3', 'a b', 'NOUN'),
      '',
    ].join('\n');
    const { examples, columns } = parse('es.conllu', content);
    expect(columns).toEqual({ tokens: 'form', tags: 'upos' });
    expect(examples[0]).toMatchObject({
      input: { tokens: ['vamos', 'nos', 'a b'] },
      gold: { tags: ['VERB', 'PRON', 'NOUN'] },
      line: 3,
    });
  });

  it('finds the tags behind numbers and in front of columns that say nothing', () => {
    const content = '# text = Oslo .\n1\tOslo\tB-LOC\t-\t-\n2\t.\tO\t-\t-\n\n1\tOk\tO\t-\t-\n';
    expect(tagsOf('en.iob2', content)).toEqual(['B-LOC O', 'O']);
    const slots = '1\tset\tintent\tO\n2\talarm\tintent\tB-what\n';
    expect(tagsOf('en.conll', slots)).toEqual(['O B-what']);
  });

  it('takes another column where asked to', () => {
    const content = 'Anna NNP B-NP B-PER\n';
    expect(tagsOf('a.conll', content, { columns: { tags: 1 } })).toEqual(['NNP']);
  });

  it('reads words alone for prediction', () => {
    const { examples } = parse('a.conll', 'Anna\nslept\n\nOslo\n', { purpose: 'predict' });
    expect(examples.map(({ input }) => input.tokens)).toEqual([['Anna', 'slept'], ['Oslo']]);
  });

  it('names the line of a word with too few columns, and leaves its sentence out', () => {
    const report = parse('a.conll', 'Anna B-PER\nslept\n\nOslo B-LOC\n');
    expect(report.issues).toMatchObject([
      { code: 'wrong_column_count', line: 2, count: 1, expected: 2, excerpt: 'slept' },
    ]);
    expect(report.examples).toHaveLength(1);
    expect(parse('a.conll', '# only = this\n\n').issues[0]!.code).toBe('empty_file');
  });
});

describe('schemes', () => {
  it.each([
    ['IOB1', 'I-PER I-PER O I-LOC B-LOC', 'B-PER I-PER O B-LOC B-LOC'],
    ['IOB2', 'B-PER I-PER O B-LOC B-LOC', 'B-PER I-PER O B-LOC B-LOC'],
    ['BIOES', 'B-PER E-PER O S-LOC S-LOC', 'B-PER I-PER O B-LOC B-LOC'],
    ['parts of speech', 'NOUN NOUN PUNCT VERB X', 'NOUN NOUN PUNCT VERB X'],
  ])('%s', (_, tags, expected) => {
    const tokens = ['a', 'b', 'c', 'd', 'e'];
    const report = parse('a.jsonl', rows({ tokens, tags: tags.split(' ') }));
    expect(report.issues).toEqual([]);
    expect(report.examples[0]!.gold!.tags!.join(' ')).toBe(expected);
  });

  const broken = 'a O\nb I-PER\nc I-LOC\n\nd B-PER\n\n';

  it('mends tags that cannot follow each other, and says where and how many', () => {
    const report = parse('a.conll', broken);
    expect(report).toMatchObject({ valid: true, counts: { mended_tags: 1 } });
    expect(report.issues[0]).toMatchObject({ line: 2, count: 2, excerpt: 'a b c', path: 'tags' });
    expect(report.issues[0]!.message).toBe(
      'the tag "I-PER" of word 2, "b", cannot stand after "O" in IOB2 (2 such tags in the sentence); it is read as the beginning of a span',
    );
    expect(report.examples[0]!.gold!.tags).toEqual(['O', 'B-PER', 'B-LOC']);
  });

  it('refuses them where asked to', () => {
    const report = parse('a.conll', broken, { invalidTags: 'refuse' });
    expect(report).toMatchObject({ valid: false, counts: { invalid_tags: 1 } });
    expect(report.examples).toHaveLength(1);
  });
});

describe('texts with entities', () => {
  const one = (entities: unknown, options?: ParseOptions, text = 'Anna saw 😀 Oslo') =>
    parse('a.jsonl', rows({ text, entities }), options);

  it.each([
    ['objects', [{ start: 11, end: 15, label: 'LOC' }]],
    ['objects as services give them', [{ start: 11, end: 15, entity_group: 'LOC', score: 1 }]],
    ['triples', [[11, 15, 'LOC']]],
  ])('reads %s', (_, entities) => {
    const { examples, labels, issues } = one(entities);
    expect(issues).toEqual([]);
    expect(labels).toEqual({ LOC: 1 });
    expect(examples[0]!.gold).toEqual({ spans: [{ start: 11, end: 15, label: 'LOC' }] });
  });

  it.each([
    ['codepoint', 11, 15],
    ['utf16', 12, 16],
    ['byte', 14, 18],
  ] as const)('counts offsets in %s', (offsetUnit, start, end) => {
    const { examples } = one([{ start, end, label: 'LOC' }], { offsetUnit });
    expect(examples[0]!.gold!.spans).toEqual([{ start: 11, end: 15, label: 'LOC' }]);
  });

  it('drops white space at the ends, with a warning', () => {
    const report = one([{ start: 8, end: 16, label: 'X' }], {}, 'Anna saw  Oslo  ');
    expect(report.issues).toMatchObject([
      { code: 'whitespace_entity', severity: 'warning', line: 1, path: 'entities[0]', start: 8 },
    ]);
    expect(report.examples[0]!.gold!.spans).toEqual([{ start: 10, end: 14, label: 'X' }]);
  });

  it.each([
    [
      'out of range',
      [{ start: 11, end: 16, label: 'A' }],
      'entity_out_of_range',
      'the text has 15 characters',
    ],
    [
      'negative',
      [{ start: -1, end: 3, label: 'A' }],
      'entity_out_of_range',
      'the text has 15 characters',
    ],
    ['empty', [{ start: 4, end: 4, label: 'A' }], 'entity_out_of_range', 'ends before it begins'],
    [
      'reversed',
      [{ start: 4, end: 1, label: 'A' }],
      'entity_out_of_range',
      'ends before it begins',
    ],
    ['fractional', [{ start: 0.5, end: 1, label: 'A' }], 'bad_entity', '0.5'],
    ['without label', [{ start: 0, end: 4 }], 'bad_entity', 'start'],
    ['a text', ['Anna'], 'bad_entity', 'Anna'],
    ['not a list', { start: 0 }, 'wrong_type', 'not a list of entities'],
  ])('refuses entities that are %s: line, span, excerpt', (_, entities, code, message) => {
    const report = one(entities);
    expect(report.valid).toBe(false);
    expect(report.examples).toEqual([]);
    expect(report.issues).toMatchObject([
      { code, line: 1, path: expect.stringMatching(/^entities/), excerpt: expect.any(String) },
    ]);
    expect(report.issues[0]!.message).toContain(message);
  });

  it('refuses an offset inside of a character', () => {
    const report = one([{ start: 10, end: 12, label: 'A' }], { offsetUnit: 'utf16' });
    expect(report.issues[0]!.message).toContain('no character that begins there');
  });

  it('refuses entities that overlap, naming both', () => {
    const report = one([
      { start: 0, end: 8, label: 'A' },
      { start: 5, end: 15, label: 'B' },
    ]);
    expect(report.issues).toMatchObject([
      {
        code: 'overlapping_entities',
        line: 1,
        first: [0, 8],
        second: [5, 15],
        message: '"saw 😀 Oslo" from 5 to 15 (B) overlaps "Anna saw" from 0 to 8 (A)',
      },
    ]);
  });
});

describe('rows that cannot be used', () => {
  it.each([
    ['tags without tokens', { tags: ['O'] }, 'missing_tokens', 'no tokens, but it has tags'],
    ['no tags', { tokens: ['Anna'] }, 'missing_tags', 'the row has no tags'],
    ['null tags', { tokens: ['Anna'], tags: null }, 'missing_tags', 'the row has no tags'],
    ['no tokens in the list', { tokens: [], tags: [] }, 'missing_tokens', 'empty list'],
    [
      'unequal lengths',
      { tokens: ['Anna', '.'], tags: ['O'] },
      'unequal_lengths',
      '2 tokens and 1 tags',
    ],
    ['an empty token', { tokens: ['Anna', ''], tags: ['O', 'O'] }, 'empty_token', 'word 2 of 2'],
    [
      'an empty tag',
      { tokens: ['Anna', '.'], tags: ['O', ' '] },
      'bad_tag',
      'word 2, ".", has no tag',
    ],
    [
      'a tag without prefix',
      { tokens: ['a', 'b', 'c'], tags: ['B-A', 'I-A', 'PER'] },
      'bad_tag',
      '"PER" of word 3',
    ],
    ['numbers for tags', { tokens: ['Anna'], tags: [3] }, 'wrong_type', 'tags by their names'],
    ['a text for tokens', { tokens: 'Anna', tags: 'O' }, 'wrong_type', 'not a list of texts'],
    ['a text without entities', { text: 'Anna' }, 'missing_entities', 'no entities'],
    ['an empty text', { text: ' ', entities: [] }, 'empty_text', 'nothing but white space'],
    ['neither', { body: 'x' }, 'missing_tokens', 'no tokens'],
    [
      'a number for the language',
      { tokens: ['a'], tags: ['O'], language: 3 },
      'wrong_type',
      'language tag',
    ],
  ])('%s', (_, row, code, message) => {
    const fine = { tokens: ['Oslo'], tags: ['B-LOC'] };
    const report = parse('a.jsonl', rows(fine, row));
    expect(report.valid).toBe(false);
    expect(report.examples).toHaveLength(1);
    const issue = report.issues.find(({ line }) => line === 2)!;
    expect(issue.code).toBe(code);
    expect(issue.message).toContain(message);
  });

  it('keeps white space that is a word of the corpus', () => {
    const report = parse('a.jsonl', rows({ tokens: ['a', '\u3000'], tags: ['O', 'O'] }));
    expect(report).toMatchObject({ valid: true, examples: [{ gold: { tags: ['O', 'O'] } }] });
  });

  it('refuses texts and tags beyond the limits', () => {
    const limits = { ...DATASET_LIMITS, textLength: 5, labelLength: 5 };
    const long = rows(
      { tokens: ['abc', 'def'], tags: ['O', 'O'] },
      { tokens: ['ab'], tags: ['B-LONGER'] },
    );
    expect(parse('a.jsonl', long, { limits }).counts).toEqual({
      text_too_long: 1,
      label_too_long: 1,
    });
  });
});

describe('training files as a whole', () => {
  const train = (...values: unknown[]) => parse('a.jsonl', rows(...values), { purpose: 'train' });
  const tagged = (tag: string, count = 8) =>
    Array.from({ length: count }, (_, i) => ({ tokens: [`w${i}`], tags: [tag] }));

  it('need spans, or more than one tag', () => {
    expect(train(...tagged('O')).counts).toEqual({ single_label: 1 });
    expect(train(...tagged('NOUN')).counts).toEqual({ single_label: 1 });
    expect(train(...tagged('B-PER')).counts).toEqual({});
  });

  it('warn of rare labels, and of the same words with other tags', () => {
    const report = train(...tagged('B-PER'), { tokens: ['w0'], tags: ['B-LOC'] });
    expect(report.counts).toEqual({ few_examples_for_label: 1, conflicting_labels: 1 });
  });

  it('have at most so many classes', () => {
    const many = Array.from({ length: 128 }, (_, i) => tagged(`B-T${i}`)).flat();
    expect(train(...many).counts.too_many_labels).toBe(1);
    expect(train(...many.slice(8)).counts.too_many_labels).toBeUndefined();
  });

  it('name the classes of the head: all that can occur', () => {
    const { examples } = train(
      { tokens: ['a', 'b'], tags: ['B-PER', 'O'] },
      { text: 'c', entities: [[0, 1, 'LOC']] },
    );
    expect(task.labels(examples)).toEqual(['B-LOC', 'I-LOC', 'B-PER', 'I-PER', 'O']);
    expect(task.labels(train({ tokens: ['a', 'b'], tags: ['VERB', 'NOUN'] }).examples)).toEqual([
      'NOUN',
      'VERB',
    ]);
  });

  it('are compared with the development file', () => {
    const words = ['one', 'two', 'three', 'four', 'five'];
    const outside = words.map(() => 'O');
    const { examples } = train({ tokens: words, tags: ['B-A', 'I-A', 'O', 'O', 'O'] });
    const dev = train({ tokens: words, tags: outside }, { tokens: ['x'], tags: ['B-B'] });
    expect(task.checkSplits(examples, dev.examples).issues).toMatchObject([
      { code: 'row_in_train', line: 1, trainLine: 1 },
      { code: 'label_only_in_dev', line: 2, label: 'B', count: 1 },
    ]);
  });
});
