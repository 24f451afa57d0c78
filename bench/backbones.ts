/**
 * npm run bench:backbones -- DATA BACKBONE...: prompts tuned on English with the default recipes around
 * each backbone, same data and seeds, tested in every language; Markdown, one table per task. DATA is
 * what bench/xtreme.ts writes. Options: --out DIR (runs that are there are kept), --tasks a,b,
 * --seeds N, --examples N, --dev-examples N, --epochs N, --test-examples N.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBackbone } from '@polyprompt/backbone';
import { findData, readTest, runOnce } from '@polyprompt/reproduce';
import { type TaskName, taskOf } from '@polyprompt/tasks';

const TASKS: Record<string, { task: TaskName; title: string; metric: string }> = {
  sib200: { task: 'text-classification', title: 'SIB-200, accuracy', metric: 'accuracy' },
  ner: { task: 'token-classification', title: 'UNER and other NER, span F1', metric: 'f1' },
  udpos: {
    task: 'token-classification',
    title: 'UD parts of speech, accuracy',
    metric: 'accuracy',
  },
  xquad: { task: 'question-answering', title: 'XQuAD, F1', metric: 'f1' },
};
/** Those that polyprompt-mini was trained on. */
const KNOWN = new Set('ar de en es fi fr hi id it ja pt ru sw tr vi zh'.split(' '));

const number = { type: 'string' } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    tasks: { type: 'string', default: Object.keys(TASKS).join(',') },
    seeds: { type: 'string', default: '1' },
    examples: number,
    'dev-examples': number,
    epochs: number,
    'test-examples': number,
  },
});
const [data, ...folders] = positionals;
if (!data || folders.length === 0) {
  console.error('usage: npm run bench:backbones -- DATA BACKBONE...');
  process.exit(2);
}
const out = values.out ?? mkdtempSync(join(tmpdir(), 'polyprompt-backbones-'));
const limits = {
  ...(values.epochs ? { epochs: Number(values.epochs) } : {}),
  ...(values.examples ? { examples: Number(values.examples) } : {}),
  ...(values['dev-examples'] ? { devExamples: Number(values['dev-examples']) } : {}),
};
const testExamples = values['test-examples'] ? Number(values['test-examples']) : null;
const mean = (scores: readonly number[]) => scores.reduce((a, b) => a + b, 0) / scores.length;
const backbones = folders.map((folder) => openBackbone(folder));
const files = findData(data, Object.keys(TASKS));

for (const id of values.tasks.split(',')) {
  const task = { id, languages: [], settings: { FT: {}, PT: {} }, ...TASKS[id]! };
  const own = files.get(id)!;
  const tests = new Map(
    Object.entries(own.test).map(([language, path]) => [
      language,
      readTest(taskOf(task.task), path, testExamples),
    ]),
  );
  const columns: Record<string, number[]>[] = [];
  let examples = { train: 0, dev: 0 };
  for (const backbone of backbones) {
    const scores: Record<string, number[]> = {};
    for (let seed = 1; seed <= Number(values.seeds); seed++) {
      const record = await runOnce({
        task,
        files: own,
        tests,
        method: 'PT',
        seed,
        settings: { task: task.task, method: 'prefix', truncate: true, ...limits },
        backbone,
        out: join(out, (await backbone.fingerprint()).slice(-12), id, `PT-${seed}`),
        study: null,
      });
      examples = record.examples;
      for (const [language, { metrics }] of Object.entries(record.scores)) {
        scores[language] = [...(scores[language] ?? []), 100 * metrics[task.metric]!];
      }
    }
    columns.push(scores);
  }
  const languages = [...tests.keys()].sort();
  const row = (title: string, which: readonly string[]) => {
    const cells = columns.map((scores) =>
      mean(which.map((name) => mean(scores[name]!))).toFixed(1),
    );
    return `| ${title} | ${cells.join(' | ')} |`;
  };
  console.log(`### ${task.title}\n`);
  console.log(
    `${examples.train} training and ${examples.dev} dev examples, ${values.seeds === '1' ? 'one seed' : `${values.seeds} seeds`}.\n`,
  );
  console.log(`| | ${backbones.map(({ name }) => name).join(' | ')} |`);
  console.log(`|---|${backbones.map(() => '---:|').join('')}`);
  for (const language of languages) console.log(row(language, [language]));
  console.log(row('**mean**', languages));
  const known = languages.filter((language) => KNOWN.has(language));
  if (known.length < languages.length)
    console.log(row('**mean of the backbone’s languages**', known));
  console.log('');
}
