/** One run of the comparison: a method on a task with a seed, trained, scored in every language, recorded. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Backbone,
  type DeviceChoice,
  openBackbone,
  Predictor,
  usableTokens,
} from '@polyprompt/backbone';
import { type Prompt, promptLength, readPrompt } from '@polyprompt/prompts';
import { type Example, taskOf } from '@polyprompt/tasks';
import {
  runJob,
  TUNED_BACKBONE,
  type TuningEvent,
  type TuningInput,
  type TuningSettings,
} from '@polyprompt/tuning';
import { type AnalysedTexts, type Analysis, analyse, readTexts } from './analysis.ts';
import type { TaskFiles } from './data.ts';
import type { Method, PaperTask } from './papers.ts';
import { type LanguageScore, scoreExamples } from './score-files.ts';

export interface RunRequest {
  readonly task: PaperTask;
  readonly files: TaskFiles;
  readonly tests: ReadonlyMap<string, readonly Example<unknown, unknown>[]>;
  readonly method: Method;
  readonly seed: number;
  readonly settings: TuningInput;
  readonly backbone: Backbone;
  /** Folder of this run. */
  readonly out: string;
  /** Texts whose states are studied, and their states before tuning. */
  readonly study: Study | null;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly onEvent?: (event: TuningEvent) => void;
}

export interface Study {
  /** Test examples by language. */
  readonly examples: ReadonlyMap<string, readonly Example<unknown, unknown>[]>;
}

export interface RunRecord {
  /** Identifies everything that decided the outcome. */
  readonly key: string;
  readonly task: string;
  readonly method: Method;
  readonly seed: number;
  readonly settings: TuningSettings;
  readonly backbone: { readonly name: string; readonly fingerprint: string };
  readonly parameters: Parameters;
  /** Best score on English dev, percent. */
  readonly dev: number;
  readonly metric: string;
  readonly scores: Readonly<Record<string, LanguageScore>>;
  readonly analysis: Analysis | null;
  /** The untouched backbone, by the same analysis. */
  readonly before: Analysis | null;
  readonly data: readonly { readonly role: string; readonly name: string; readonly hash: string }[];
  readonly examples: { readonly train: number; readonly dev: number };
  readonly steps: number;
  readonly seconds: number;
  readonly device: string;
  readonly versions: Readonly<Record<string, string>>;
}

export interface Parameters {
  readonly backbone: number;
  /** Tuned values of the prompt (of the whole backbone for fine-tuning). */
  readonly tuned: number;
  readonly head: number;
}

const RECORD = 'record.json';

/** Runs, or reads the record of the same run that was made before. */
export async function runOnce(request: RunRequest): Promise<RunRecord> {
  const path = join(request.out, RECORD);
  const key = await keyOf(request);
  const earlier = readRecord(path);
  if (earlier?.key === key) return earlier;
  rmSync(path, { force: true });
  const record = await run(request, key);
  mkdirSync(request.out, { recursive: true });
  writeFileSync(path, `${JSON.stringify(record, null, 1)}\n`);
  return record;
}

async function run(request: RunRequest, key: string): Promise<RunRecord> {
  const { task, files, method, seed, settings, backbone, out, device, threads, onEvent } = request;
  const placed = { ...(device ? { device } : {}), ...(threads ? { threads } : {}) };
  const job = {
    backbone: backbone.dir,
    train: files.train,
    ...(files.dev ? { dev: files.dev } : {}),
    out,
    settings: { ...settings, seed },
    ...placed,
  };
  const hooks = onEvent ? { onEvent } : {};
  const result = await runJob({ ...job, resume: true }, hooks).catch((error: unknown) => {
    // An interrupted run with other settings or data is of no use to this one.
    if ((error as { code?: unknown }).code !== 'checkpoint_mismatch') throw error;
    return runJob(job, hooks);
  });
  const { card } = result;
  const { prompt } = readPrompt(out);
  const tuned = method === 'FT' ? openBackbone(join(out, TUNED_BACKBONE)) : backbone;
  const predictor = new Predictor(tuned, placed);
  const room = usableTokens(tuned.spec, promptLength(prompt));
  const metric = task.metric;
  const scores: Record<string, LanguageScore> = {};
  try {
    const used = { prompt, backbone: tuned, predictor, room };
    for (const [language, examples] of request.tests) {
      scores[language] = await scoreExamples(used, taskOf(task.task), examples, metric);
    }
  } finally {
    await predictor.release();
  }
  const studied = request.study && (await study(request, request.study, prompt, tuned, room));
  // A tuned copy of a large backbone for every seed fills a disk; its scores are what is kept.
  rmSync(join(out, TUNED_BACKBONE), { recursive: true, force: true });
  return {
    key,
    task: task.id,
    method,
    seed,
    settings: result.settings,
    backbone: { name: backbone.name, fingerprint: await backbone.fingerprint() },
    parameters: parametersOf(prompt, backbone, method),
    dev: 100 * result.best.metric,
    metric,
    scores,
    analysis: studied?.after ?? null,
    before: studied?.before ?? null,
    data: card.data.map(({ role, name, hash }) => ({ role, name, hash })),
    examples: card.training.examples,
    steps: result.steps,
    seconds: result.seconds,
    device: card.device,
    versions: card.versions,
  };
}

async function study(
  { task, backbone }: RunRequest,
  { examples }: Study,
  prompt: Prompt,
  tuned: Backbone,
  room: number,
): Promise<{ readonly before: Analysis; readonly after: Analysis }> {
  const { labels, pooling } = prompt;
  const texts: AnalysedTexts[] = [];
  for (const [language, list] of examples) {
    texts.push(await readTexts(taskOf(task.task), language, list, labels, backbone, room));
  }
  const bare = { backbone, prompt: null, pooling };
  const { analysis: before, states } = await analyse(bare, texts, labels, null);
  const own = { backbone: tuned, prompt, pooling };
  const { analysis: after } = await analyse(own, texts, labels, states);
  return { before, after };
}

function parametersOf(prompt: Prompt, backbone: Backbone, method: Method): Parameters {
  const own = prompt.prefix ?? prompt.softPrompt;
  return {
    backbone: backbone.parameters,
    tuned: method === 'FT' ? backbone.parameters : (own?.data.length ?? 0),
    head: prompt.headWeight.data.length + prompt.headBias.data.length,
  };
}

async function keyOf(request: RunRequest): Promise<string> {
  const { task, files, tests, method, seed, settings, backbone, study: studied } = request;
  const hash = createHash('sha256');
  for (const file of [files.train, files.dev]) if (file) hash.update(readFileSync(file));
  const parts = {
    task: task.id,
    metric: task.metric,
    method,
    seed,
    settings,
    backbone: await backbone.fingerprint(),
    tests: [...tests].map(([language, examples]) => [language, examples]),
    study: studied && [...studied.examples].map(([language, { length }]) => [language, length]),
  };
  return `sha256:${hash.update(JSON.stringify(parts)).digest('hex')}`;
}

function readRecord(path: string): RunRecord | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RunRecord;
  } catch {
    return null;
  }
}
