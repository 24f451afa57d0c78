/**
 * Everything that decides what a run computes. A recipe is a named set of these; what the user
 * gives overrides it. All of it goes into the prompt's card.
 */
import { OFFSET_UNITS, TASK_NAMES, type TaskName } from '@polyprompt/tasks';
import { z } from 'zod';
import { refuseSetting, TuningError } from './errors.ts';
import { recipeFor } from './recipes.ts';
import { SCHEDULES } from './schedule.ts';

/** Two special tokens and one of text. */
const SHORTEST_ROW = 3;

export const METHODS = ['prefix', 'soft', 'full', 'head'] as const;

export const TuningSettings = z.strictObject({
  task: z.enum(TASK_NAMES),
  /** Train only on examples of these languages, as the data names them; null: on all. */
  languages: z.array(z.string().min(1)).min(1).nullable(),
  /** Train on at most this many examples, drawn by the seed; null: on all. */
  examples: z.int().min(1).nullable(),
  /** Score on at most this many of the dev set, drawn by the seed; null: on all. */
  devExamples: z.int().min(1).nullable(),
  /** Name of the recipe that the other values come from where not given. */
  recipe: z.string(),
  /** What is tuned beside the head: keys and values per layer, input vectors, everything, nothing. */
  method: z.enum(METHODS),
  /** Length of the prompt in virtual tokens. */
  length: z.int().min(1).max(512),
  learningRate: z.number().positive().max(10),
  /** Examples per optimizer step. */
  batchSize: z.int().min(1).max(4096),
  epochs: z.int().min(1).max(10_000),
  schedule: z.enum(SCHEDULES),
  warmup: z.number().min(0).max(1),
  decay: z.number().positive().max(1),
  weightDecay: z.number().min(0).max(1),
  /** Gradients are scaled down to this norm; 0 switches clipping off. */
  clip: z.number().min(0),
  /** Dropout on the prefix, as in P-Tuning v2; one mask per step, shared by its rows. */
  dropout: z.number().min(0).max(0.9),
  /** Dropout on what the head reads. */
  headDropout: z.number().min(0).max(0.9),
  /** Which state the head of a classification reads. */
  pooling: z.enum(['first', 'pooler', 'mean', 'last']),
  positions: z.enum(['shifted', 'unshifted']),
  /**
   * Width of the network that computes the prompt from an embedding while it is trained (P-Tuning
   * v2); 0 trains the prompt itself. What is published is the prompt either way.
   */
  reparameterise: z.int().min(0).max(8192),
  /** Word of each label, whose score by the decoder's own output layer is the label's: no head is trained. */
  verbalizer: z.record(z.string(), z.string().min(1)).nullable(),
  /** Standard deviation of the initial prompt. */
  initStd: z.number().min(0).max(10),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31),
  /** What picks the best version on the dev set: the task's metric or the loss. */
  select: z.enum(['metric', 'loss']),
  /** Stop after this many evaluations without a better version; 0 trains to the end. */
  patience: z.int().min(0),
  /** Longest row in tokens, special ones included. */
  maxTokens: z.int().min(SHORTEST_ROW).max(4096),
  /** Cut texts that are longer; otherwise they are refused. */
  truncate: z.boolean(),
  /** What offsets in the data count. */
  offsetUnit: z.enum(OFFSET_UNITS),
  /** What becomes of tags that cannot follow each other: mended with a warning, or refused. */
  invalidTags: z.enum(['fix', 'refuse']),
  /**
   * Largest padded size of one run of the graph in tokens; larger batches are accumulated. null: what
   * the device is fastest with.
   */
  tokenBudget: z.int().min(16).max(1_048_576).nullable(),
});
export type TuningSettings = z.infer<typeof TuningSettings>;

/** What a user may give: the task, and anything that differs from the recipe. */
export type TuningInput = Partial<TuningSettings> & { readonly task: TaskName };

/** What settings are judged by, of a backbone that need not be loaded. */
export interface BackboneTraits {
  readonly name: string;
  readonly family: 'roberta' | 'bert' | 'xglm';
  readonly usableTokens: (promptLength: number) => number;
  readonly hasPooler: boolean;
  /** Whether it is a decoder with its output layer. */
  readonly predictsWords: boolean;
}

/**
 * Fills in the recipe and checks every value, and all that can be known of their combination before
 * there are data.
 * @throws TuningError `bad_setting` naming the setting, its value and its range
 */
export function resolveSettings(input: TuningInput, backbone: BackboneTraits): TuningSettings {
  const method = input.method ?? 'prefix';
  const recipe = recipeFor(input.recipe ?? 'default', input.task, method, backbone.family);
  const given = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  );
  const length = input.length ?? recipe.length;
  const fits = backbone.usableTokens(method === 'full' || method === 'head' ? 0 : length);
  if (fits < SHORTEST_ROW) {
    const longest = Math.max(0, backbone.usableTokens(0) - SHORTEST_ROW);
    refuseSetting(
      'length',
      `length ${length} leaves room for ${Math.max(0, fits)} tokens of text in the backbone's ` +
        `positions, at least ${SHORTEST_ROW} are needed; use a prompt of at most ${longest}`,
    );
  }
  const merged = { ...recipe, ...given, method };
  const result = TuningSettings.safeParse({
    ...merged,
    maxTokens: input.maxTokens ?? Math.min(recipe.maxTokens, fits),
  });
  if (!result.success) throw outOfRange(result.error, merged);
  if (result.data.maxTokens > fits) {
    refuseSetting(
      'maxTokens',
      `maxTokens ${result.data.maxTokens} with a prompt of ${length} exceeds the backbone's ` +
        `positions: at most ${Math.max(0, fits)} tokens fit; use a shorter prompt or fewer tokens`,
    );
  }
  requireSense(result.data);
  requireAbility(result.data, backbone);
  return result.data;
}

function outOfRange({ issues }: z.ZodError, values: Readonly<Record<string, unknown>>) {
  const problems = issues.map(({ path, message }) =>
    path.length > 0
      ? `${path.join('.')} is ${JSON.stringify(values[String(path[0])])}: ${message}`
      : message,
  );
  const setting = issues[0]?.path[0];
  return new TuningError('bad_setting', problems.join('; '), {
    ...(setting === undefined ? {} : { setting: String(setting) }),
  });
}

/** Settings that are each sound and together are not. */
function requireSense(settings: TuningSettings): void {
  const { task, method, reparameterise, verbalizer } = settings;
  if (task !== 'token-classification') {
    for (const [name, plain] of [
      ['offsetUnit', 'codepoint'],
      ['invalidTags', 'fix'],
    ] as const) {
      if (settings[name] === plain) continue;
      refuseSetting(
        name,
        `${name} "${settings[name]}" is about entities and tags, of which data for ${task} has ` +
          'none; leave it out',
      );
    }
  }
  const prompted = method === 'prefix' || method === 'soft';
  if (reparameterise > 0 && !prompted) {
    refuseSetting(
      'reparameterise',
      `reparameterise computes a prompt, and method "${method}" has none; leave it out`,
    );
  }
  if (verbalizer === null) return;
  if (task !== 'text-classification') {
    refuseSetting(
      'verbalizer',
      `verbalizer stands for the labels of whole texts, not of ${task}; leave it out`,
    );
  }
  if (!prompted) {
    refuseSetting(
      'verbalizer',
      `verbalizer leaves nothing to train for method "${method}"; use prefix or soft`,
    );
  }
}

/** Settings that this backbone cannot do. */
function requireAbility(
  { task, pooling, verbalizer, recipe }: TuningSettings,
  { name, family, hasPooler, predictsWords }: BackboneTraits,
): void {
  if (task === 'text-classification' && pooling === 'first' && family === 'xglm') {
    refuseSetting(
      'pooling',
      `pooling "first" reads a token that in a decoder, as backbone ${name} is, has seen nothing of ` +
        'the text; use "last" or "mean"',
    );
  }
  if (pooling === 'pooler' && !hasPooler) {
    refuseSetting(
      'pooling',
      `pooling "pooler" (recipe "${recipe}") needs a pooler, which backbone ${name} does not have; ` +
        'use "first", "mean" or "last"',
    );
  }
  if (verbalizer !== null && !predictsWords) {
    refuseSetting(
      'verbalizer',
      `verbalizer needs a decoder that predicts words, which backbone ${name} is not; leave it ` +
        'out, so that a head is trained',
    );
  }
}
