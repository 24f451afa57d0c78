// The prompt as a value: what a tenant trains, names and serves. Tensors are float32 in memory
// whatever a file stores. `checkPrompt` is the one place that says which prompts exist at all; both
// encoding and decoding go through it, so that no file holds what no reader accepts.

import { z } from 'zod';
import { HASH_PATTERN } from './canonical.ts';
import { PromptError } from './errors.ts';
import { problemsIn } from './problems.ts';

export const TASKS = ['text-classification', 'token-classification', 'question-answering'] as const;
export const METHODS = ['prefix', 'soft', 'head'] as const;
export const POSITION_RULES = ['shifted', 'unshifted'] as const;
export const POOLING_RULES = [
  'first',
  'pooler',
  'mean',
  'last',
  'virtual',
  'virtual-pooler',
] as const;
export type PoolingRule = (typeof POOLING_RULES)[number];

/** What training offers; the others are those of imported prompts. */
export const TRAINED_POOLING = ['first', 'pooler', 'mean', 'last'] as const;

/** Row-major float32 values. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** How the version came about, as far as data, settings and seed determine it: no times, no host. */
export const TrainingSummary = z.strictObject({
  recipe: z.string(),
  seed: z.int().nonnegative(),
  epochs: z.number().nonnegative(),
  steps: z.int().nonnegative(),
  /** The step whose parameters were kept. */
  best: z.int().nonnegative(),
  examples: z.strictObject({ train: z.int().nonnegative(), dev: z.int().nonnegative() }),
  /** Languages of the training examples, as the data names them. */
  languages: z.array(z.string()),
  /** The selection metric and its value on the dev set at `best`. */
  metric: z.string(),
  score: z.number(),
});
export type TrainingSummary = z.infer<typeof TrainingSummary>;

/** Settings of answers that were chosen on the dev set, and hold where a question does not bring its own. */
export const Answering = z.strictObject({
  /** How much likelier "there is no answer" must be than the best answer, as a difference of log probabilities. */
  nullThreshold: z.number(),
});
export type Answering = z.infer<typeof Answering>;

const Settings = z.object({
  task: z.enum(TASKS),
  labels: z.array(z.string().min(1)).min(1),
  method: z.enum(METHODS),
  backbone: z.string().regex(HASH_PATTERN, 'must be "sha256:" and 64 hex digits'),
  backboneName: z.string().min(1),
  positions: z.enum(POSITION_RULES),
  pooling: z.enum(POOLING_RULES),
  training: TrainingSummary,
  answering: Answering.optional(),
});

/** Everything about a prompt that is not a tensor. */
export type PromptSettings = Readonly<z.infer<typeof Settings>>;

export interface Prompt extends PromptSettings {
  /** `[layers, 2, heads, length, headDim]`: keys, then values, of every layer. */
  readonly prefix?: Tensor;
  /** `[length, hidden]`. On a causal decoder its compiled `prefix` may stand beside or instead of it. */
  readonly softPrompt?: Tensor;
  /**
   * `[hidden, hidden]` and `[hidden]`: a dense layer with tanh between the pooled state and the head. Never trained
   * here; RoBERTa's own classification models have it.
   */
  readonly denseWeight?: Tensor;
  readonly denseBias?: Tensor;
  /** `[hidden, classes]`; a question-answering head has the classes start and end. */
  readonly headWeight: Tensor;
  /** `[classes]` */
  readonly headBias: Tensor;
}

/** Number of virtual tokens; 0 for a head alone. */
export function promptLength(prompt: Pick<Prompt, 'prefix' | 'softPrompt'>): number {
  return prompt.prefix?.shape[3] ?? prompt.softPrompt?.shape[0] ?? 0;
}

/** Number of trained values: prompt, head weight and bias. */
export function parameterCount(prompt: Prompt): number {
  const { denseWeight, denseBias, headWeight, headBias } = prompt;
  const tensors = [
    prompt.softPrompt ?? prompt.prefix,
    denseWeight,
    denseBias,
    headWeight,
    headBias,
  ];
  return tensors.reduce((sum, tensor) => sum + (tensor?.data.length ?? 0), 0);
}

/**
 * Parses the settings of a prompt from untrusted values.
 * @throws PromptError `bad_prompt` naming the field
 */
export function parseSettings(source: string, value: unknown): PromptSettings {
  const result = Settings.safeParse(value);
  if (!result.success)
    throw new PromptError('bad_prompt', `${source}: ${problemsIn(result.error)}`);
  return result.data;
}

/**
 * Checks settings, shapes and values of a prompt.
 * @throws PromptError `bad_prompt` or `not_finite`, naming the field, its value and what it must be
 */
export function checkPrompt(source: string, prompt: Prompt): void {
  const { labels, task, method, pooling, answering } = parseSettings(source, prompt);
  const bad = (what: string) => new PromptError('bad_prompt', `${source}: ${what}`);
  // Files of others can have any number of labels.
  const seen = new Set<string>();
  for (const label of labels) {
    if (seen.has(label)) throw bad(`label "${label}" occurs twice`);
    seen.add(label);
  }

  const { prefix, softPrompt, headWeight, headBias } = prompt;
  const [hidden, classes] = checkTensor(source, 'head.weight', headWeight, 2);
  const [biases] = checkTensor(source, 'head.bias', headBias, 1);
  if (classes !== labels.length || biases !== labels.length) {
    throw bad(
      `${labels.length} labels, but a head.weight for ${classes} and a head.bias for ${biases}`,
    );
  }
  if (task === 'question-answering' && classes !== 2) {
    throw bad(`a question-answering head has 2 classes, start and end, not ${classes}`);
  }
  if (answering !== undefined && task !== 'question-answering') {
    throw bad(`a nullThreshold belongs to question-answering, not to ${task}`);
  }
  checkDense(source, prompt, hidden!);
  if (prefix !== undefined) {
    const [, pair] = checkTensor(source, 'prefix', prefix, 5);
    if (pair !== 2)
      throw bad(`prefix [${prefix.shape}] must be [layers, 2, heads, length, headDim]`);
  }
  if (softPrompt !== undefined) {
    const [, width] = checkTensor(source, 'soft_prompt', softPrompt, 2);
    if (width !== hidden)
      throw bad(`soft_prompt [${softPrompt.shape}] must be [length, ${hidden}]`);
  }
  if (pooling.startsWith('virtual') && (softPrompt === undefined || prefix !== undefined)) {
    throw bad(`pooling "${pooling}" reads a position of a soft_prompt, which it does not have`);
  }
  if (method === 'prefix' && (prefix === undefined || softPrompt !== undefined)) {
    throw bad('method "prefix" takes a prefix and no soft_prompt');
  }
  if (method === 'soft' && prefix === undefined && softPrompt === undefined) {
    throw bad('method "soft" takes a soft_prompt, or the prefix that it compiles to');
  }
  if (method === 'head' && (prefix !== undefined || softPrompt !== undefined)) {
    throw bad('method "head" takes neither a prefix nor a soft_prompt');
  }
}

function checkDense(
  source: string,
  { denseWeight, denseBias, task }: Prompt,
  hidden: number,
): void {
  const bad = (what: string) => new PromptError('bad_prompt', `${source}: ${what}`);
  if (denseWeight === undefined && denseBias === undefined) return;
  if (denseWeight === undefined || denseBias === undefined) {
    throw bad('head.dense.weight and head.dense.bias belong together, and one is missing');
  }
  if (task !== 'text-classification') throw bad(`a ${task} head has no dense layer`);
  const weight = checkTensor(source, 'head.dense.weight', denseWeight, 2);
  const [biases] = checkTensor(source, 'head.dense.bias', denseBias, 1);
  if (weight[0] !== hidden || weight[1] !== hidden || biases !== hidden) {
    throw bad(`head.dense.weight [${weight}] must be [${hidden}, ${hidden}], its bias [${hidden}]`);
  }
}

function checkTensor(
  source: string,
  name: string,
  tensor: Tensor,
  rank: number,
): readonly number[] {
  const { shape, data } = tensor;
  const count = shape.reduce((product, size) => product * size, 1);
  if (shape.length !== rank || !shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new PromptError(
      'bad_prompt',
      `${source}: ${name} [${shape}] must have ${rank} dimensions, none empty`,
    );
  }
  if (count !== data.length) {
    throw new PromptError(
      'bad_prompt',
      `${source}: ${name} [${shape}] needs ${count} values, has ${data.length}`,
    );
  }
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new PromptError(
      'not_finite',
      `${source}: ${name} holds ${data[at]} at index ${at}; the training diverged, lower its learning rate`,
    );
  }
  return shape;
}
