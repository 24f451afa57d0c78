/** `polyprompt evaluate`: scores of a prompt on labelled files, per file and language. */
import { readFileSync } from 'node:fs';
import { type Evaluation, type Example, type Scores, showIssue } from '@polyprompt/tasks';
import { answerInputs, tokenLimit } from '@polyprompt/tuning';
import { Command } from 'commander';
import { CliError } from '../errors.ts';
import { count, cutNotice, fixed, plural } from '../format.ts';
import { type LoadedPrompt, loadPrompt } from '../loaded-prompt.ts';
import {
  type DeviceOptions,
  type LimitOptions,
  type PrecisionOptions,
  type ReadingOptions,
  signed,
  whole,
  withDevice,
  withLimits,
  withPrecision,
  withReading,
} from '../options.ts';
import { table } from '../table.ts';
import { checkFlags, viewOf } from '../tasks/index.ts';
import type { TaskOptions } from '../tasks/view.ts';

interface Options
  extends DeviceOptions,
    PrecisionOptions,
    LimitOptions,
    ReadingOptions,
    Pick<TaskOptions, 'stride' | 'maxAnswerTokens' | 'nullThreshold'> {
  readonly prompt: string;
  readonly backbone?: string;
  readonly data: readonly string[];
  readonly language?: readonly string[];
  readonly details?: boolean;
  readonly json?: boolean;
}

const ALL_FILES = 'all files';

type View = ReturnType<typeof viewOf>;
type AnyExample = Example<unknown, unknown>;

interface Answered {
  readonly file: string;
  readonly examples: readonly AnyExample[];
  readonly answers: readonly unknown[];
}

type Evaluated = { readonly file: string } & Evaluation;

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('Score a prompt on labelled files, per file and per language.')
    .requiredOption('--prompt <dir>', 'folder that "polyprompt tune" wrote')
    .option('--backbone <dir>', 'model folder (default: that of the prompt, where it is at hand)')
    .requiredOption('--data <file...>', 'labelled files, in the formats of tune')
    .option('--language <tag...>', 'of rows that name none: one for all files, or one for each')
    .option('--stride <n>', 'tokens that the windows of a long text share', whole(0))
    .option('--max-answer-tokens <n>', 'longest answer to a question (default: 30)', whole(1))
    .option(
      '--null-threshold <n>',
      'how much surer than of an answer "none" must be (default: the prompt\'s own)',
      signed,
    )
    .option('--details', 'scores of every label, and which labels are taken for which')
    .option('--json', 'everything as JSON');
  return withPrecision(withDevice(withLimits(withReading(command))))
    .addHelpText(
      'after',
      `
Examples:
  polyprompt evaluate --prompt topics --data test.jsonl
  polyprompt evaluate --prompt topics --data de.tsv fr.tsv sw.tsv --details
  polyprompt evaluate --prompt topics --data test.csv --json
  polyprompt evaluate --prompt qa --data xquad.de.json xquad.zh.json --language de zh`,
    )
    .action(evaluate);
}

async function evaluate(options: Options): Promise<void> {
  const { data, language = [] } = options;
  if (language.length > 1 && language.length !== data.length) {
    throw new CliError(
      'usage',
      `there are ${data.length} files and ${language.length} languages; give one for all or one for each`,
    );
  }
  const loaded = await loadPrompt(options.prompt, options);
  const view = viewOf(loaded.prompt.task);
  try {
    checkFlags(view, options);
    // All of them are read before anything is computed: the last may be the one with a mistake.
    const files = data.map((file, i) => ({
      file,
      examples: readExamples(view, file, options, language[i] ?? language[0]),
    }));
    const answered: Answered[] = [];
    for (const { file, examples } of files) {
      const answers = await answer(loaded, view, file, examples, options);
      answered.push({ file, examples, answers });
    }
    const scores = answered.map((part) => score(loaded, view, part));
    const total = score(loaded, view, {
      file: ALL_FILES,
      examples: answered.flatMap(({ examples }) => examples),
      answers: answered.flatMap(({ answers }) => answers),
    });
    console.log(
      options.json ? asJson(loaded, scores, total) : asText(view, scores, total, options),
    );
  } finally {
    await loaded.predictor.release();
  }
}

/** @throws CliError `no_such_file`, `bad_input` with every problem of the file */
function readExamples(
  { task }: View,
  file: string,
  { offsetUnit, invalidTags }: Options,
  language?: string,
): readonly AnyExample[] {
  const source = { name: file, bytes: readBytes(file) };
  const report = task.parse(source, {
    purpose: 'evaluate',
    offsetUnit,
    invalidTags,
    ...(language ? { language } : {}),
  });
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
  view: View,
  file: string,
  examples: readonly AnyExample[],
  options: Options,
): Promise<unknown[]> {
  const inputs = examples.map(({ input }) => input);
  const outcomes = await answerInputs(loaded, view.task, inputs, options, view.options(options));
  const limit = plural(tokenLimit(loaded, options), 'token');
  const overruns = outcomes.flatMap(({ overrun, part = 'text', limit: own }, i) => {
    const most = own === undefined ? limit : plural(own, 'token');
    return overrun === undefined ? [] : [{ line: examples[i]!.line, tokens: overrun, part, most }];
  });
  if (overruns.length > 0 && !options.truncate) {
    const lines = overruns.map(
      ({ line, tokens, part, most }) =>
        `${file}, line ${line}: the ${part} has ${plural(tokens, 'token')}; the limit is ${most}; ` +
        'shorten it or give --truncate',
    );
    throw new CliError('bad_input', lines.join('\n'));
  }
  if (overruns.length > 0) {
    const notice = cutNotice(overruns.length, view.cut, tokenLimit(loaded, options));
    console.error(`polyprompt: ${file}: ${notice}`);
  }
  return outcomes.map(({ answer }) => answer!);
}

function score(
  { prompt }: LoadedPrompt,
  { task, unknownLabels }: View,
  { file, examples, answers }: Answered,
): Evaluated {
  const evaluation = task.evaluate(examples, answers, prompt.labels);
  const unknown = unknownLabels(evaluation, prompt.labels);
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

function asText(
  view: View,
  files: readonly Evaluated[],
  overall: Evaluated,
  { details }: Options,
): string {
  const shown = files.length > 1 ? [...files, overall] : files;
  const metrics = view.metrics(overall);
  const rows = shown.flatMap((scores) => {
    const { file } = scores;
    // Scores of all files together are one line; their languages are in the lines of the files.
    if (scores === overall) return [row(metrics, file, '', scores)];
    const languages = Object.entries(scores.languages);
    const [only] = languages;
    if (languages.length < 2) return [row(metrics, file, only?.[0] ?? '', scores)];
    return [
      ...languages.map(([language, part]) => row(metrics, file, language, part)),
      row(metrics, file, 'all', scores),
    ];
  });
  const head = ['file', 'language', 'examples', ...metrics];
  const tables = [table(head, rows, `ll${'r'.repeat(head.length - 2)}`)];
  if (details) tables.push(...shown.map((scores) => view.details(scores.file, scores)));
  return tables.join('\n\n');
}

function row(
  shown: readonly string[],
  file: string,
  language: string,
  { examples, metrics }: Scores,
): string[] {
  return [file, language, count(examples), ...shown.map((name) => fixed(metrics[name] ?? 0))];
}
