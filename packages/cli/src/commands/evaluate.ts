/** `polyprompt evaluate`: scores of a prompt on labelled files, per file and language. */
import { readFileSync } from 'node:fs';
import {
  type ClassificationEvaluation,
  type ClassificationScores,
  type LabelScore,
  showIssue,
  type TextExample,
  textClassification as task,
} from '@polyprompt/tasks';
import { Command } from 'commander';
import { CliError } from '../errors.ts';
import { count, plural } from '../format.ts';
import { type LoadedPrompt, loadPrompt, requireTask } from '../loaded-prompt.ts';
import { type DeviceOptions, type LimitOptions, withDevice, withLimits } from '../options.ts';
import { answerInputs, tokenLimit } from '../predict.ts';
import { table } from '../table.ts';

interface Options extends DeviceOptions, LimitOptions {
  readonly prompt: string;
  readonly backbone?: string;
  readonly data: readonly string[];
  readonly details?: boolean;
  readonly json?: boolean;
}

const ALL_FILES = 'all files';

interface Answered {
  readonly file: string;
  readonly examples: readonly TextExample[];
  readonly answers: readonly (readonly LabelScore[])[];
}

type Evaluated = { readonly file: string } & ClassificationEvaluation;

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('Score a prompt on labelled files, per file and per language.')
    .requiredOption('--prompt <dir>', 'folder that "polyprompt tune" wrote')
    .option('--backbone <dir>', 'model folder (default: that of the prompt, where it is at hand)')
    .requiredOption('--data <file...>', 'labelled files: JSONL, CSV or TSV')
    .option('--details', 'scores of every label, and which labels are taken for which')
    .option('--json', 'everything as JSON');
  return withDevice(withLimits(command))
    .addHelpText(
      'after',
      `
Examples:
  polyprompt evaluate --prompt topics --data test.jsonl
  polyprompt evaluate --prompt topics --data de.tsv fr.tsv sw.tsv --details
  polyprompt evaluate --prompt topics --data test.csv --json`,
    )
    .action(evaluate);
}

async function evaluate(options: Options): Promise<void> {
  const files = options.data.map((file) => ({ file, examples: readExamples(file) }));
  const loaded = await loadPrompt(options.prompt, options);
  requireTask(loaded, task);
  try {
    const answered: Answered[] = [];
    for (const { file, examples } of files) {
      answered.push({ file, examples, answers: await answer(loaded, file, examples, options) });
    }
    const scores = answered.map((part) => score(loaded, part));
    const total = score(loaded, {
      file: ALL_FILES,
      examples: answered.flatMap(({ examples }) => examples),
      answers: answered.flatMap(({ answers }) => answers),
    });
    console.log(options.json ? asJson(loaded, scores, total) : asText(scores, total, options));
  } finally {
    await loaded.predictor.release();
  }
}

/** @throws CliError `no_such_file`, `bad_input` with every problem of the file */
function readExamples(file: string): readonly TextExample[] {
  const report = task.parse({ name: file, bytes: readBytes(file) }, { purpose: 'evaluate' });
  if (report.valid) return report.examples;
  const errors = report.issues.filter(({ severity }) => severity === 'error');
  throw new CliError('bad_input', errors.map((issue) => showIssue(issue, file)).join('\n'));
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    throw new CliError('no_such_file', `${file} ${why}`, { cause });
  }
}

async function answer(
  loaded: LoadedPrompt,
  file: string,
  examples: readonly TextExample[],
  options: Options,
): Promise<(readonly LabelScore[])[]> {
  const inputs = examples.map(({ input }) => input);
  const outcomes = await answerInputs(loaded, task, inputs, options);
  const limit = plural(tokenLimit(loaded, options), 'token');
  const overruns = outcomes.flatMap(({ overrun }, i) =>
    overrun === undefined ? [] : [{ line: examples[i]!.line, tokens: overrun }],
  );
  if (overruns.length > 0 && !options.truncate) {
    const lines = overruns.map(
      ({ line, tokens }) =>
        `${file}, line ${line}: the text has ${plural(tokens, 'token')}; the limit is ${limit}; ` +
        'shorten it or give --truncate',
    );
    throw new CliError('bad_input', lines.join('\n'));
  }
  if (overruns.length > 0) {
    const cut = plural(overruns.length, 'text');
    console.error(`polyprompt: ${file}: ${cut} cut to ${limit}, as --truncate asked`);
  }
  return outcomes.map(({ answer }) => answer!);
}

function score({ prompt }: LoadedPrompt, { file, examples, answers }: Answered): Evaluated {
  const evaluation = task.evaluate(examples, answers, prompt.labels);
  const unknown = evaluation.perLabel.slice(prompt.labels.length).map(({ label }) => label);
  if (unknown.length > 0 && file !== ALL_FILES) {
    console.error(
      `polyprompt: ${file}: the prompt does not know the label "${unknown.join('", "')}"; ` +
        'these examples count as wrong',
    );
  }
  return { file, ...evaluation };
}

function asJson(loaded: LoadedPrompt, files: readonly Evaluated[], overall: Evaluated): string {
  const { labels, backbone, backboneName } = loaded.prompt;
  const { file: _, ...all } = overall;
  return JSON.stringify(
    { labels, backbone: { name: backboneName, fingerprint: backbone }, files, overall: all },
    null,
    2,
  );
}

function asText(files: readonly Evaluated[], overall: Evaluated, { details }: Options): string {
  const shown = files.length > 1 ? [...files, overall] : files;
  const rows = shown.flatMap((scores) => {
    const { file } = scores;
    // Scores of all files together are one line; their languages are in the lines of the files.
    if (scores === overall) return [row(file, '', scores)];
    const languages = Object.entries(scores.languages);
    const [only] = languages;
    if (languages.length < 2) return [row(file, only?.[0] ?? '', scores)];
    return [
      ...languages.map(([language, part]) => row(file, language, part)),
      row(file, 'all', scores),
    ];
  });
  const tables = [table(['file', 'language', 'examples', 'accuracy', 'f1_macro'], rows, 'llrrr')];
  if (details) tables.push(...shown.map(detailsOf));
  return tables.join('\n\n');
}

function row(file: string, language: string, { examples, metrics }: ClassificationScores) {
  return [file, language, count(examples), fixed(metrics.accuracy), fixed(metrics.f1_macro)];
}

function detailsOf({ file, perLabel, confusion }: Evaluated): string {
  const scores = perLabel.map(({ label, precision, recall, f1, support }) => [
    label,
    fixed(precision),
    fixed(recall),
    fixed(f1),
    count(support),
  ]);
  const labels = perLabel.map(({ label }) => label);
  const taken = confusion.map((counts, i) => [labels[i]!, ...counts.map((value) => count(value))]);
  return [
    `${file}, per label`,
    table(['label', 'precision', 'recall', 'f1', 'examples'], scores, 'lrrrr'),
    '',
    `${file}, label (row) and prediction (column)`,
    table(['', ...labels], taken, `l${'r'.repeat(labels.length)}`),
  ].join('\n');
}

function fixed(value: number): string {
  return value.toFixed(4);
}
