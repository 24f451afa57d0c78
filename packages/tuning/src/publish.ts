/** What a trained run comes to: the prompt with its card, and after full fine-tuning a backbone. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Backbone,
  type CanonicalName,
  compileSoftPrompt,
  openBackbone,
  WEIGHT_INPUT,
  writeBackbone,
} from '@polyprompt/backbone';
import type { Prompt, Tensor } from '@polyprompt/prompts';
import type { PreparedData } from './data.ts';
import type { Run } from './run.ts';

/** Folder inside of `out` that holds the backbone of a fully fine-tuned run. */
export const TUNED_BACKBONE = 'backbone';

/**
 * The prompt of a run's current parameters.
 * @param answering what the dev set chose
 * @param out where a tuned backbone is to be written
 */
export async function promptOf(
  run: Run,
  frozen: Backbone,
  data: PreparedData,
  answering: Prompt['answering'],
  out: string,
): Promise<Prompt> {
  const { settings, tuned, progress } = run;
  const backbone = settings.method === 'full' ? await tunedBackbone(run, frozen, out) : frozen;
  const tensor = (name: string): Tensor | undefined => {
    const found = tuned.value(name);
    return found && { shape: found.shape.slice(1), data: found.data };
  };
  const softPrompt = tensor('soft_prompt');
  // A decoder's soft prompt is served as the prefix that it amounts to, and kept for training on.
  const compiled = softPrompt !== undefined && backbone.spec.family === 'xglm';
  const prefix = compiled ? await compileSoftPrompt(backbone, softPrompt) : tensor('prefix');
  const best = progress.best!;
  return {
    task: settings.task,
    labels: [...data.labels],
    method: settings.method === 'full' ? 'head' : settings.method,
    backbone: await backbone.fingerprint(),
    backboneName: backbone.name,
    positions: compiled ? 'shifted' : settings.positions,
    pooling: settings.pooling,
    ...(prefix ? { prefix } : {}),
    ...(softPrompt ? { softPrompt } : {}),
    headWeight: tensor('head_weight')!,
    headBias: tensor('head_bias')!,
    ...(answering && { answering }),
    training: {
      recipe: settings.recipe,
      seed: settings.seed,
      epochs: progress.step / run.stepsPerEpoch,
      steps: progress.step,
      best: best.step,
      examples: { train: examplesOf(data.train), dev: examplesOf(data.dev) },
      languages: data.languages,
      metric: data.task.metric,
      score: best.metric,
    },
  };
}

/** A copy of the backbone with the tuned weights, which the prompt then belongs to. */
async function tunedBackbone({ tuned }: Run, backbone: Backbone, out: string): Promise<Backbone> {
  const weights = tuned.parameters.filter(({ name }) => name.startsWith(WEIGHT_INPUT));
  const replaced = new Map(
    weights.map(({ name, data }) => [name.slice(WEIGHT_INPUT.length) as CanonicalName, data]),
  );
  const folder = join(out, TUNED_BACKBONE);
  rmSync(folder, { recursive: true, force: true });
  await writeBackbone(folder, backbone.checkpoint, replaced);
  return openBackbone(folder);
}

/** A long text is several rows, its windows, and still one example. */
function examplesOf(rows: PreparedData['train']): number {
  return new Set(rows.map(({ example }) => example)).size;
}
