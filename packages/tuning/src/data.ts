/** The files of a run as rows for the graph: parsed, validated in full, tokenised, with targets. */

import type { DataFile } from '@polyprompt/prompts';
import {
  type ContextTokens,
  type Encoder,
  type Example,
  type SpanTarget,
  showIssue,
  type Task,
  type TaskTypes,
  type TokenSpans,
  taskOf,
} from '@polyprompt/tasks';
import { TuningError } from './errors.ts';
import { type FileCheck, fileCheck } from './file-check.ts';
import type { TrainRow } from './model.ts';
import { permutation, randomStream } from './random.ts';
import type { TuningSettings } from './settings.ts';
import { readSource } from './sources.ts';

/** A task whatever its inputs and answers are. */
export type AnyTask = Task<TaskTypes>;
type AnyExample = Example<unknown, unknown>;

export interface ScoredRow extends TrainRow {
  /** Index of the example that the row is a piece of. */
  readonly example: number;
  /** Where its tokens are in the text; only of tasks whose answers point into it. */
  readonly spans?: TokenSpans;
  readonly causal?: boolean;
  /** Where an answer may be; only of tasks that find one in a context. */
  readonly context?: ContextTokens;
}

export interface PreparedData {
  readonly task: AnyTask;
  readonly labels: readonly string[];
  readonly train: readonly ScoredRow[];
  readonly dev: readonly ScoredRow[];
  readonly devExamples: readonly AnyExample[];
  /** Languages that the training data names. */
  readonly languages: string[];
  readonly files: DataFile[];
  readonly warnings: readonly string[];
}

/** Share of the training data that becomes the dev set where none is given. */
const HELD_OUT = 0.1;

/**
 * Reads and checks everything before anything is trained.
 * @param causal whether the backbone reads from left to right
 * @param onChecked told what the check found, before any of it is thrown
 * @throws TuningError `bad_data` with every problem that the validator found, `bad_setting`
 */
export async function prepareData(
  encoder: Encoder,
  settings: TuningSettings,
  files: { readonly train: string; readonly dev?: string },
  causal: boolean,
  onChecked: (files: readonly FileCheck[]) => void = () => {},
): Promise<PreparedData> {
  const task: AnyTask = taskOf(settings.task);
  const { examples, devExamples, seed } = settings;
  const train = ofLanguages(parse(task, files.train, 'train', settings), settings.languages);
  const dev = files.dev ? parse(task, files.dev, 'dev', settings) : holdOut(train, seed);
  const fitted = drawn(files.dev ? train.examples : (dev as HeldOut).rest, examples, seed);
  const measured = drawn(dev.examples, devExamples, seed);
  // Of all examples, so that a rare label that is held out entirely is still known.
  const labels = task.labels(train.examples);
  const splitIssues = files.dev ? task.checkSplits(train.examples, dev.examples).issues : [];
  const { maxTokens, truncate } = settings;
  const limits = { maxTokens, truncate, causal };
  const trainRows = await task.features(fitted, labels, encoder, limits);
  const devRows = await task.features(measured, labels, encoder, limits);
  const devIssues = [...splitIssues, ...devRows.issues];
  const checks = files.dev
    ? [fileCheck('train', train.report, trainRows.issues), fileCheck('dev', dev.report, devIssues)]
    : [fileCheck('train', train.report, [...trainRows.issues, ...devIssues])];
  onChecked(checks);
  const issues = checks.flatMap((check) => check.issues);
  const errors = issues.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) {
    const total = checks.reduce((sum, check) => sum + check.errors, 0);
    const more = total > errors.length ? [`and ${total - errors.length} more errors`] : [];
    const lines = errors.map((issue) => showIssue(issue));
    throw new TuningError('bad_data', [...lines, ...more].join('\n'));
  }
  if (fitted.length === 0) {
    throw new TuningError(
      'bad_data',
      'the training data has 1 example, which is held out to choose the best version by; add ' +
        'examples, or give a dev file',
    );
  }
  const toRow = (feature: (typeof trainRows.features)[number]): ScoredRow => ({
    example: feature.example,
    ids: feature.ids,
    typeIds: feature.typeIds,
    ...(feature.context
      ? spanTarget(feature.target as SpanTarget, feature.ids.length, feature.context)
      : { target: oneHot(feature.target, labels.length) }),
    ...(feature.spans ? { spans: feature.spans, causal } : {}),
    ...(feature.context ? { context: feature.context } : {}),
  });
  return {
    task,
    labels,
    // Where tokens are matters for answers alone; of large training files it is most of the memory.
    train: trainRows.features.map(toRow).map(({ spans, context, ...row }) => row),
    dev: devRows.features.map(toRow),
    devExamples: measured,
    languages: Object.keys(train.report.languages).filter(
      (language) => settings.languages?.includes(language) ?? true,
    ),
    files: files.dev ? [train.file, dev.file] : [train.file],
    warnings: issues.map((issue) => showIssue(issue)),
  };
}

interface Parsed {
  readonly report: ReturnType<AnyTask['parse']>;
  readonly examples: readonly AnyExample[];
  readonly file: DataFile;
}

function parse(
  task: AnyTask,
  path: string,
  role: 'train' | 'dev',
  { offsetUnit, invalidTags }: TuningSettings,
): Parsed {
  const source = readSource(path);
  const purpose = role === 'train' ? 'train' : 'evaluate';
  const report = task.parse(source, { purpose, offsetUnit, invalidTags });
  const { examples, hash, name, bytes, languages } = report;
  const file = { role, name, hash, bytes, examples: examples.length, languages };
  return { report, examples, file };
}

/** @throws TuningError `bad_setting` when nothing is left of a file that had examples */
function ofLanguages(file: Parsed, languages: readonly string[] | null): Parsed {
  if (languages === null || file.examples.length === 0) return file;
  const examples = file.examples.filter(({ language }) => languages.includes(language ?? ''));
  if (examples.length > 0) return { ...file, examples };
  const present = Object.keys(file.report.languages).join(', ') || 'none that the data names';
  throw new TuningError(
    'bad_setting',
    `no example is of the languages ${languages.join(', ')}; those of the training data are ` +
      `${present}; choose from these, or leave languages out`,
  );
}

/** At most `count` of the examples, in their order. */
function drawn(
  examples: readonly AnyExample[],
  count: number | null,
  seed: number,
): readonly AnyExample[] {
  if (count === null || examples.length <= count) return examples;
  const order = permutation(examples.length, randomStream(seed, 'drawn'));
  const chosen = new Set(order.slice(0, count));
  return examples.filter((_, i) => chosen.has(i));
}

type HeldOut = Parsed & { readonly rest: readonly AnyExample[] };

function holdOut(train: Parsed, seed: number): HeldOut {
  const order = permutation(train.examples.length, randomStream(seed, 'held out'));
  const count = Math.ceil(train.examples.length * HELD_OUT);
  const held = new Set(order.slice(0, count));
  return {
    ...train,
    examples: train.examples.filter((_, i) => held.has(i)),
    rest: train.examples.filter((_, i) => !held.has(i)),
  };
}

/** A class as its one-hot row, a class per token as one row each; negative classes are ignored. */
function oneHot(target: unknown, classes: number): Float32Array {
  const list = typeof target === 'number' ? [target] : (target as ArrayLike<number>);
  const rows = new Float32Array(list.length * classes);
  for (let i = 0; i < list.length; i++) {
    if (list[i]! >= 0) rows[i * classes + list[i]!] = 1;
  }
  return rows;
}

/** The tokens of start and end, each a distribution; looked for in the context and at the first token. */
function spanTarget(
  { start, end }: SpanTarget,
  tokens: number,
  { first, starts }: ContextTokens,
): Required<Pick<TrainRow, 'target' | 'spanMask'>> {
  const target = new Float32Array(2 * tokens);
  target[2 * start] = 1;
  target[2 * end + 1] = 1;
  const spanMask = new Uint8Array(tokens).fill(1, first, first + starts.length);
  spanMask[0] = 1;
  return { target, spanMask };
}
