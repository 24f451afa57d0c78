/** One tuning run from files to a published prompt folder. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Backbone,
  type CanonicalName,
  type DeviceChoice,
  openBackbone,
  resolveDevice,
  usableTokens,
  WEIGHT_INPUT,
  writeBackbone,
} from '@polyprompt/backbone';
import { type Prompt, type PromptCard, writePrompt } from '@polyprompt/prompts';
import type { Identity } from './checkpoint.ts';
import { type PreparedData, prepareData } from './data.ts';
import { TuningError } from './errors.ts';
import { type LoopResult, type TuningEvent, train } from './loop.ts';
import { type Parameter, TrainableModel } from './model.ts';
import { score } from './score.ts';
import { resolveSettings, type TuningInput, type TuningSettings } from './settings.ts';
import { libraryVersions } from './versions.ts';

export interface TuningJob {
  readonly backbone: string;
  readonly train: string;
  /** Without one, a tenth of the training data is held out. */
  readonly dev?: string;
  /** Folder of the prompt; the checkpoint lies in it until the run is complete. */
  readonly out: string;
  readonly settings: TuningInput;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly checkpointSeconds?: number;
  /** Continue from the checkpoint in `out` where there is one. */
  readonly resume?: boolean;
  /** With `resume`: train no more, and publish the best version that the checkpoint holds. */
  readonly finish?: boolean;
}

export interface JobHooks {
  readonly onEvent?: (event: TuningEvent) => void;
  readonly shouldStop?: () => boolean;
}

export interface JobResult {
  readonly card: PromptCard;
  readonly settings: TuningSettings;
  readonly best: LoopResult['best'];
  readonly steps: number;
  readonly seconds: number;
  readonly tokens: number;
  /** Non-fatal findings about the data. */
  readonly warnings: readonly string[];
}

export const CHECKPOINT_FILE = 'checkpoint.safetensors';
/** Folder inside of `out` that holds the backbone of a fully fine-tuned run. */
export const TUNED_BACKBONE = 'backbone';

const DEFAULT_CHECKPOINT_SECONDS = 30;

/**
 * Validates the data, trains and writes `out/prompt.safetensors` and `out/card.json`.
 * @throws BackboneError, TuningError (`bad_data` with the validator's report, `no_version`)
 */
export async function runJob(job: TuningJob, hooks: JobHooks = {}): Promise<JobResult> {
  const started = new Date();
  const backbone = openBackbone(job.backbone);
  const settings = resolveSettings(job.settings, {
    family: backbone.spec.family,
    usableTokens: (length) => usableTokens(backbone.spec, length),
  });
  requirePooler(backbone, settings);
  const device = resolveDevice(job.device ?? 'auto');
  const causal = backbone.spec.family === 'xglm';
  const data = await prepareData(backbone.tokenizer(), settings, job, causal, (files) =>
    hooks.onEvent?.({ type: 'checked', files }),
  );
  // Reading and compiling can take as long as a step of a large backbone: asked in between, too.
  if (hooks.shouldStop?.()) {
    throw new TuningError('interrupted', 'stopped before the training began');
  }
  mkdirSync(job.out, { recursive: true });
  const path = join(job.out, CHECKPOINT_FILE);
  const identity = await identityOf(backbone, settings, data);
  const threads = job.threads ? { threads: job.threads } : {};
  const { loss } = data.task;
  const classes = data.labels.length;
  const model = await TrainableModel.create({
    backbone,
    settings,
    classes,
    loss,
    device,
    ...threads,
  });
  try {
    const result = await train({
      model,
      settings,
      rows: data.train,
      evaluate: () => score(model, data, settings.tokenBudget),
      metricName: data.task.metric,
      finish: job.finish ?? false,
      checkpoint: {
        path,
        identity,
        everySeconds: job.checkpointSeconds ?? DEFAULT_CHECKPOINT_SECONDS,
        resume: job.resume ?? false,
      },
      ...hooks,
    });
    model.parameters.forEach(({ data: values }, i) => {
      values.set(result.parameters[i]!);
    });
    const dev = await score(model, data, settings.tokenBudget);
    const served = await publishedBackbone(backbone, settings, model.parameters, job.out);
    const prompt = await makePrompt(served, settings, data, model.parameters, result);
    const card = writePrompt(job.out, prompt, {
      created: started.toISOString(),
      data: data.files,
      settings: { ...settings },
      metrics: { dev: dev.metrics },
      lineage: { parent: null },
      versions: libraryVersions(),
      wall_seconds: result.seconds,
      device,
    });
    rmSync(path, { force: true });
    const { best, steps, seconds, tokens } = result;
    return { card, settings, best, steps, seconds, tokens, warnings: data.warnings };
  } finally {
    await model.release();
  }
}

function requirePooler(backbone: Backbone, settings: TuningSettings): void {
  if (settings.pooling === 'pooler' && !backbone.checkpoint.hasPooler) {
    throw new TuningError(
      'bad_setting',
      `pooling "pooler" needs a pooler, which backbone ${backbone.name} does not have; use ` +
        '"first", "mean" or "last"',
    );
  }
}

async function identityOf(
  backbone: Backbone,
  settings: TuningSettings,
  data: PreparedData,
): Promise<Identity> {
  const files = data.files.map(({ role, hash }) => [role, hash] as const);
  return {
    backbone: await backbone.fingerprint(),
    settings: JSON.stringify(settings),
    ...Object.fromEntries(files),
  };
}

/** The backbone that the prompt belongs to: the frozen one, or the copy with the tuned weights. */
async function publishedBackbone(
  backbone: Backbone,
  settings: TuningSettings,
  parameters: readonly Parameter[],
  out: string,
): Promise<Backbone> {
  if (settings.method !== 'full') return backbone;
  const tuned = parameters.filter(({ name }) => name.startsWith(WEIGHT_INPUT));
  const replaced = new Map(
    tuned.map(({ name, data }) => [name.slice(WEIGHT_INPUT.length) as CanonicalName, data]),
  );
  const folder = join(out, TUNED_BACKBONE);
  rmSync(folder, { recursive: true, force: true });
  await writeBackbone(folder, backbone.checkpoint, replaced);
  return openBackbone(folder);
}

async function makePrompt(
  backbone: Backbone,
  settings: TuningSettings,
  data: PreparedData,
  parameters: readonly Parameter[],
  result: LoopResult,
): Promise<Prompt> {
  const tensor = (name: string) => {
    const found = parameters.find((parameter) => parameter.name === name);
    return found && { shape: found.shape.slice(1), data: found.data };
  };
  const prefix = tensor('prefix');
  const softPrompt = tensor('soft_prompt');
  const stepsPerEpoch = Math.ceil(data.train.length / settings.batchSize);
  return {
    task: settings.task,
    labels: [...data.labels],
    method: settings.method === 'full' ? 'head' : settings.method,
    backbone: await backbone.fingerprint(),
    backboneName: backbone.name,
    positions: settings.positions,
    pooling: settings.pooling,
    ...(prefix ? { prefix } : {}),
    ...(softPrompt ? { softPrompt } : {}),
    headWeight: tensor('head_weight')!,
    headBias: tensor('head_bias')!,
    training: {
      recipe: settings.recipe,
      seed: settings.seed,
      epochs: result.steps / stepsPerEpoch,
      steps: result.steps,
      best: result.best.step,
      examples: { train: data.train.length, dev: data.dev.length },
      languages: data.languages,
      metric: data.task.metric,
      score: result.best.metric,
    },
  };
}
