/** A paper's comparison from data folder to report: every run, then what they say. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Backbone, type DeviceChoice, openBackbone } from '@polyprompt/backbone';
import { type Example, taskOf } from '@polyprompt/tasks';
import type { TuningEvent, TuningInput } from '@polyprompt/tuning';
import { findData, type TaskFiles } from './data.ts';
import { departures } from './departures.ts';
import { ReproduceError } from './errors.ts';
import { METHODS, type Method, PAPERS, type PaperName, type PaperTask } from './papers.ts';
import { type Report, reportHtml } from './report.ts';
import { type Group, groupOf, XGLM_SHARES } from './resources.ts';
import { summarise, type TaskResult } from './results.ts';
import { type RunRecord, runOnce } from './run.ts';
import { readTest } from './score-files.ts';
import { relateTokenization } from './token-analysis.ts';
import { judge } from './verdict.ts';

export interface ReproduceOptions {
  readonly paper: PaperName;
  readonly backbone: string;
  readonly data: string;
  readonly out: string;
  readonly seeds: number;
  /** Of the tasks that have data; all by default. */
  readonly tasks?: readonly string[];
  /** Less of everything: to see the whole way work, not to learn anything about the paper. */
  readonly quick: boolean;
  /**
   * The papers' settings, made for large backbones, or this project's defaults, which learn on small
   * ones too. Both methods get the same kind.
   */
  readonly recipes: 'paper' | 'default';
  /** Replace what the recipes say, for both methods. */
  readonly limits?: Partial<Pick<TuningInput, 'examples' | 'devExamples' | 'epochs'>>;
  /** Test examples per language; null for all. */
  readonly testExamples: number | null;
  /** Share of the pretraining tokens by language, in percent; XGLM's published table by default. */
  readonly resources?: Readonly<Record<string, number>>;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  /** How the user called it, for the report. */
  readonly command: string;
}

export interface Progress {
  readonly onRun?: (run: {
    readonly name: string;
    readonly index: number;
    readonly of: number;
  }) => void;
  readonly onEvent?: (event: TuningEvent) => void;
}

export interface Outcome {
  readonly report: Report;
  readonly html: string;
  readonly json: string;
}

/** What `quick` changes; every value is printed among the departures. */
const QUICK = { epochs: 2, examples: 96, devExamples: 48 } as const;
const QUICK_TESTS = 40;
/** Test examples per language whose states are studied. */
const STUDIED = 200;

/** This project's own recipes; what they leave open is decided per task. */
const DEFAULTS = {
  FT: { method: 'full', truncate: true },
  PT: { method: 'prefix', truncate: true },
} as const satisfies PaperTask['settings'];

type Tests = ReadonlyMap<string, readonly Example<unknown, unknown>[]>;

/**
 * Writes `report.html` and `results.json` to `out`. Runs that are already there with the same data,
 * settings and backbone are not made again, so an interrupted comparison continues.
 * @throws ReproduceError, TuningError, BackboneError
 */
export async function reproduce(
  options: ReproduceOptions,
  progress: Progress = {},
): Promise<Outcome> {
  const paper = PAPERS[options.paper];
  const backbone = openBackbone(options.backbone);
  const known = paper.tasks.map(({ id }) => id);
  const files = chosen(findData(options.data, known), options.tasks);
  const overrides: Partial<TuningInput> = { ...(options.quick ? QUICK : {}), ...options.limits };
  const limit = options.testExamples ?? (options.quick ? QUICK_TESTS : null);
  const tasks = [...paper.tasks.filter(({ id }) => files.has(id)), ...extraTasks(files, known)];
  const tests = new Map(
    tasks.map(({ id, task }) => [id, testsOf(task, files.get(id)!.test, limit)]),
  );
  const results: TaskResult[] = [];
  const total = tasks.length * METHODS.length * options.seeds;
  let index = 0;
  for (const task of tasks) {
    const records: RunRecord[] = [];
    for (let seed = 1; seed <= options.seeds; seed++) {
      for (const method of METHODS) {
        const name = `${task.id}/${method}-${seed}`;
        progress.onRun?.({ name, index: index++, of: total });
        const study = seed === 1 && task.task === 'text-classification';
        const own = tests.get(task.id)!;
        const record = await runOnce({
          task,
          files: files.get(task.id)!,
          tests: own,
          method,
          seed,
          settings: {
            task: task.task,
            ...settingsOf(options.recipes, task, method, backbone),
            ...overrides,
          },
          backbone,
          out: join(options.out, 'runs', name),
          ...(options.device ? { device: options.device } : {}),
          ...(options.threads ? { threads: options.threads } : {}),
          study: study ? { examples: firstOf(own, STUDIED) } : null,
          ...(progress.onEvent ? { onEvent: progress.onEvent } : {}),
        });
        records.push(record);
      }
    }
    results.push(summarise(task, records));
  }
  const shares = options.resources ?? XGLM_SHARES;
  const groups = new Map<string, Group>(
    results.flatMap(({ languages }) =>
      languages.map(({ name }) => [name, groupOf(name, shares)] as const),
    ),
  );
  const { tokenization, correlations, fertility } = await relateTokenization(
    backbone.tokenizer(),
    tasks,
    tests,
    results,
  );
  const share = tunedShare(results);
  const report: Report = {
    paper,
    results,
    tokenization,
    correlations,
    groups,
    shares: share,
    verdicts: judge({ paper, results, share: share.withoutHead, groups, fertility }),
    departures: departures({
      paper,
      backbone,
      files,
      results,
      seeds: options.seeds,
      recipes: options.recipes,
      overrides,
      testExamples: limit,
    }),
    command: options.command,
  };
  mkdirSync(options.out, { recursive: true });
  const html = join(options.out, 'report.html');
  const json = join(options.out, 'results.json');
  writeFileSync(html, reportHtml(report));
  writeFileSync(
    json,
    `${JSON.stringify({ ...report, groups: Object.fromEntries(groups) }, null, 1)}\n`,
  );
  return { report, html, json };
}

/** @throws ReproduceError `bad_option` for a task without data */
function chosen(
  files: Map<string, TaskFiles>,
  tasks: readonly string[] | undefined,
): Map<string, TaskFiles> {
  if (!tasks) return files;
  const missing = tasks.filter((id) => !files.has(id));
  if (missing.length === 0) return new Map(tasks.map((id) => [id, files.get(id)!]));
  throw new ReproduceError(
    'bad_option',
    `there is no data for ${missing.join(', ')}; there is for ${[...files.keys()].join(', ')}`,
  );
}

/** Tasks of the data beyond the paper's, with this project's defaults. */
function extraTasks(files: ReadonlyMap<string, TaskFiles>, known: readonly string[]): PaperTask[] {
  return [...files].flatMap(([id, { extra, test }]) =>
    extra && !known.includes(id)
      ? [
          {
            ...extra,
            id,
            languages: Object.keys(test),
            settings: DEFAULTS,
          } satisfies PaperTask,
        ]
      : [],
  );
}

function settingsOf(
  recipes: ReproduceOptions['recipes'],
  { settings }: PaperTask,
  method: Method,
  { checkpoint, spec }: Backbone,
): Omit<TuningInput, 'task'> {
  if (recipes === 'default') return { ...DEFAULTS[method] };
  const own = settings[method];
  if (spec.family === 'xglm' || checkpoint.hasPooler || !own.recipe) return own;
  // A backbone without a pooler has none to freeze: the head reads the first state itself.
  return { ...own, pooling: 'first' };
}

function testsOf(
  task: PaperTask['task'],
  files: Readonly<Record<string, string>>,
  limit: number | null,
): Tests {
  return new Map(
    Object.entries(files).map(([language, path]) => [
      language,
      readTest(taskOf(task), path, limit),
    ]),
  );
}

function firstOf(tests: Tests, count: number): Tests {
  return new Map([...tests].map(([language, examples]) => [language, examples.slice(0, count)]));
}

/** In percent; the head is the largest of the tasks'. */
function tunedShare(results: readonly TaskResult[]) {
  const prompts = results.flatMap(({ records }) =>
    records.filter(({ method }) => method === 'PT').map(({ parameters }) => parameters),
  );
  const most = (of: (parameters: RunRecord['parameters']) => number) =>
    100 * Math.max(...prompts.map((parameters) => of(parameters) / parameters.backbone));
  return {
    withoutHead: most(({ tuned }) => tuned),
    withHead: most(({ tuned, head }) => tuned + head),
  };
}
