/**
 * npx node bench/xtreme.ts DIR OUT: the labelled data of DIR (folders sib200, pawsx, uner, ...) as one data
 * folder for `polyprompt reproduce`: unpacked, in this project's formats, named by a reproduce.json.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';

type Row = Readonly<Record<string, unknown>>;

interface Entry {
  train: string;
  dev?: string;
  test: Record<string, string>;
  note?: string;
  extra?: { task: string; title: string; metric: string };
}

/** Converts and names the files of every task that `source` has. */
export function prepareXtreme(source: string, out: string): Record<string, Entry> {
  const manifest: Record<string, Entry> = {};
  const bytes = (path: string) => {
    const raw = readFileSync(join(source, path));
    return (path.endsWith('.gz') ? gunzipSync(raw) : raw).toString('utf8');
  };
  const put = (name: string, text: string) => {
    mkdirSync(join(out, name, '..'), { recursive: true });
    writeFileSync(join(out, name), text);
    return name;
  };
  const lines = (rows: readonly unknown[]) => `${rows.map((r) => JSON.stringify(r)).join('\n')}\n`;
  const jsonl = (path: string) =>
    bytes(path)
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as Row);
  const tsv = (path: string, quote = false) =>
    parse(bytes(path), {
      columns: true,
      delimiter: '\t',
      quote: quote ? '"' : null,
      relax_quotes: true,
      skip_empty_lines: true,
    }) as Record<string, string>[];
  const named = (dir: string, pattern: RegExp) =>
    existsSync(join(source, dir))
      ? readdirSync(join(source, dir)).flatMap((name) => {
          const match = pattern.exec(name);
          return match ? [[match[1]!, `${dir}/${name}`] as const] : [];
        })
      : [];
  const testsOf = (
    id: string,
    files: readonly (readonly [string, string])[],
    convert: (path: string) => readonly unknown[],
  ) =>
    Object.fromEntries(
      files.map(([language, path]) => [
        language,
        put(`${id}/${language}.test.jsonl`, lines(convert(path))),
      ]),
    );
  const add = (id: string, entry: Entry) => {
    if (Object.keys(entry.test).length > 0) manifest[id] = entry;
  };

  const pairs = (path: string) =>
    tsv(path).map(({ sentence1, sentence2, label }) => ({
      text: sentence1,
      text_pair: sentence2,
      label: label === '1' ? 'paraphrase' : 'different',
    }));
  if (existsSync(join(source, 'pawsx/en.dev.tsv'))) {
    add('pawsx', {
      train: put('pawsx/en.train.jsonl', lines(pairs('pawsx/en.dev.tsv'))),
      test: testsOf('pawsx', named('pawsx', /^(\w+)\.test\.tsv$/), pairs),
      note: 'trained on the 2,000 pairs of the English dev set.',
    });
  }
  const words = (field: string) => (path: string) =>
    jsonl(path).map((row) => ({ tokens: row.tokens, tags: row[field] }));
  if (existsSync(join(source, 'ud-pos/en.train.jsonl.gz'))) {
    const own = named('ud-pos', /^(\w+)\.test\.jsonl\.gz$/);
    const have = new Set(own.map(([language]) => language));
    const parallel = named('ud-pos/pud', /^(\w+)\.test\.jsonl\.gz$/).filter(([l]) => !have.has(l));
    add('udpos', {
      train: put('udpos/en.train.jsonl', lines(words('upos')('ud-pos/en.train.jsonl.gz'))),
      dev: put('udpos/en.dev.jsonl', lines(words('upos')('ud-pos/en.dev.jsonl.gz'))),
      test: testsOf('udpos', [...own, ...parallel], words('upos')),
      note: `UD test sets; ${parallel.map(([l]) => l).join(' ')} from the parallel PUD.`,
    });
  }
  if (existsSync(join(source, 'uner/en.train.jsonl.gz'))) {
    const own = named('uner', /^(\w{2,3})\.test\.jsonl\.gz$/);
    const have = new Set(own.map(([language]) => language));
    const other = named('ner-other', /^(\w+)\.test\.jsonl\.gz$/).filter(([l]) => !have.has(l));
    add('ner', {
      train: put('ner/en.train.jsonl', lines(words('tags')('uner/en.train.jsonl.gz'))),
      dev: put('ner/en.dev.jsonl', lines(words('tags')('uner/en.dev.jsonl.gz'))),
      test: testsOf('ner', [...own, ...other], words('tags')),
      note: `Universal NER instead of PAN-X; ${other.map(([l]) => l).join(' ')} from other sets.`,
      extra: { task: 'token-classification', title: 'NER (UNER)', metric: 'f1' },
    });
  }
  const copied = (id: string, files: readonly (readonly [string, string])[]) =>
    Object.fromEntries(
      files.map(([language, path]) => [language, put(`${id}/${language}.test.json`, bytes(path))]),
    );
  if (existsSync(join(source, 'xquad')) && existsSync(join(source, 'squadshifts-wiki'))) {
    add('xquad', {
      train: put('xquad/en.train.json', bytes('squadshifts-wiki/new_wiki.json.gz')),
      test: copied('xquad', named('xquad', /^xquad\.(\w+)\.json$/)),
      note: 'trained on the 7,938 Wikipedia questions of SQuADShifts instead of SQuAD.',
    });
  }
  // XTREME's copy of the other languages comes without answers: such files score nothing.
  const answered = named('tydiqa-goldp', /^(\w+)\.dev\.json\.gz$/).filter(
    ([, path]) => !/"text": ?""/.test(bytes(path)),
  );
  if (existsSync(join(source, 'tydiqa-goldp/en.train.json.gz'))) {
    add('tydiqa', {
      train: put('tydiqa/en.train.json', bytes('tydiqa-goldp/en.train.json.gz')),
      test: copied('tydiqa', answered),
      note: 'tested on the dev sets, as the released scripts do; a tenth of the training data selects.',
    });
  }
  const folders = (dir: string) =>
    existsSync(join(source, dir))
      ? readdirSync(join(source, dir)).filter((name) =>
          existsSync(join(source, dir, name, 'test.tsv')),
        )
      : [];
  const topics = (path: string) =>
    tsv(path).map(({ text, category }) => ({ text, label: category }));
  if (folders('sib200').includes('en')) {
    add('sib200', {
      train: put('sib200/en.train.jsonl', lines(topics('sib200/en/train.tsv'))),
      dev: put('sib200/en.dev.jsonl', lines(topics('sib200/en/dev.tsv'))),
      test: testsOf(
        'sib200',
        folders('sib200').map((language) => [language, `sib200/${language}/test.tsv`] as const),
        topics,
      ),
      extra: { task: 'text-classification', title: 'SIB-200 (topics)', metric: 'accuracy' },
    });
  }
  const reviews = (path: string) =>
    tsv(path, true).map(({ sentiment, ...texts }) => ({
      text: Object.entries(texts).find(([name]) => name.endsWith('_review'))?.[1],
      label: sentiment,
    }));
  if (folders('nollysenti').includes('en')) {
    add('nollysenti', {
      train: put('nollysenti/en.train.jsonl', lines(reviews('nollysenti/en/train.tsv'))),
      dev: put('nollysenti/en.dev.jsonl', lines(reviews('nollysenti/en/dev.tsv'))),
      test: testsOf(
        'nollysenti',
        folders('nollysenti').map((l) => [l, `nollysenti/${l}/test.tsv`] as const),
        reviews,
      ),
      extra: { task: 'text-classification', title: 'NollySenti (sentiment)', metric: 'accuracy' },
    });
  }
  writeFileSync(join(out, 'reproduce.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

if (process.argv[1] && basename(process.argv[1]) === basename(import.meta.filename)) {
  const [source, out] = process.argv.slice(2);
  if (!source || !out) {
    console.error('usage: npx node bench/xtreme.ts DIR OUT');
    process.exit(2);
  }
  mkdirSync(out, { recursive: true });
  for (const [id, { test }] of Object.entries(prepareXtreme(source, out))) {
    console.log(`${id}: ${Object.keys(test).join(' ')}`);
  }
}
