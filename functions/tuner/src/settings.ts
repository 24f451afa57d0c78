/**
 * @module
 * A job's settings, in the words of the wire, as the input of the training loop: the one place that maps them,
 * for the API before it makes a job and for the tuner that trains it. Loads nothing heavy.
 */
import { type CandidateLists, Hyperparameters, PromptSettings } from '@polyprompt/contract';
import {
  type AskedSettings,
  type BackboneTraits,
  type Candidate,
  candidatesOf,
  type Parent,
  resolveJobSettings,
  TuningError,
  type TuningInput,
  type CandidateLists as TuningLists,
} from '@polyprompt/tuning/settings';
import { z } from 'zod';

export { type BackboneTraits, type Parent, traitsOf } from '@polyprompt/tuning/settings';

export interface JobSettings {
  readonly seed: number;
  /** `Hyperparameters` and `PromptSettings` of the contract. */
  readonly hyperparameters: object;
  readonly settings: object;
}

export interface AskedJob {
  readonly settings: TuningInput;
  /** None alone is a job without candidates. */
  readonly candidates: readonly Candidate[];
  /** Hyper-parameters with the values that "auto" came to. They map to the same settings. */
  readonly hyperparameters: {
    readonly n_epochs: number;
    readonly batch_size: number;
    readonly learning_rate_multiplier: number;
  };
}

const DEFAULT_TASK = 'text-classification';

/**
 * Maps and checks everything that can be known without the data. What is absent or "auto" comes from the recipe.
 * @param parent the version that the job continues from
 * @throws TuningError `bad_setting` for values that do not fit the backbone or each other
 */
export function readJobSettings(
  job: JobSettings,
  backbone: BackboneTraits,
  parent?: Pick<Parent, 'prompt' | 'ref'>,
): AskedJob {
  const native = parse(PromptSettings, { task: DEFAULT_TASK, ...job.settings }, 'prompt');
  const common = parse(Hyperparameters, job.hyperparameters, 'hyperparameters');
  const input: TuningInput = withoutUndefined({
    task: native.task,
    recipe: native.recipe,
    method: native.method,
    length: native.length,
    learningRate: native.learning_rate,
    reparameterise: native.reparameterise,
    dropout: native.dropout,
    headDropout: native.dropout,
    pooling: native.pooling,
    languages: native.languages,
    offsetUnit: native.offset_unit,
    invalidTags: native.invalid_tags,
    patience: native.early_stopping,
    epochs: given(common.n_epochs),
    batchSize: given(common.batch_size),
    seed: job.seed,
  });
  const resolve = (asked: AskedSettings) => resolveJobSettings({ ...asked, parent }, backbone);
  const [alone] = resolve({ settings: input });
  const factor = given(common.learning_rate_multiplier) ?? 1;
  const settings =
    factor === 1
      ? input
      : multiplied({ ...input, learningRate: alone!.learningRate * factor }, resolve);
  const candidates = native.candidates ? candidatesIn(native.candidates, factor) : [];
  if (candidates.length > 0) resolve({ settings, candidates });
  return {
    settings,
    candidates,
    hyperparameters: {
      n_epochs: alone!.epochs,
      batch_size: alone!.batchSize,
      learning_rate_multiplier: factor,
    },
  };
}

const MULTIPLIER = 'learningRateMultiplier';

/** @throws TuningError `bad_setting` that blames the factor, since the rate alone is sound */
function multiplied(input: TuningInput, resolve: (asked: AskedSettings) => unknown): TuningInput {
  try {
    resolve({ settings: input });
  } catch (error) {
    if (!(error instanceof TuningError)) throw error;
    throw new TuningError('bad_setting', error.message, { setting: MULTIPLIER, cause: error });
  }
  return input;
}

/** What may differ between candidates, by the words of the wire. */
const CANDIDATE_SETTINGS = {
  learning_rate: 'learningRate',
  lr: 'learningRate',
  seed: 'seed',
  length: 'length',
  n_epochs: 'epochs',
  epochs: 'epochs',
  batch_size: 'batchSize',
  schedule: 'schedule',
  warmup: 'warmup',
  weight_decay: 'weightDecay',
  clip: 'clip',
  dropout: 'dropout',
  head_dropout: 'headDropout',
  init_std: 'initStd',
  reparameterise: 'reparameterise',
} as const satisfies Record<keyof CandidateLists, keyof Candidate>;

function candidatesIn(wire: CandidateLists, factor: number): Candidate[] {
  const refuse = (setting: string, what: string) => {
    throw new TuningError('bad_setting', `candidates: ${what}`, { setting });
  };
  const lists: Record<string, readonly (string | number)[]> = {};
  for (const [name, values] of Object.entries(wire)) {
    const key = CANDIDATE_SETTINGS[name as keyof CandidateLists];
    if (lists[key]) refuse('candidates', `${name} is given twice, by two names; give one`);
    lists[key] = values;
  }
  if (factor !== 1 && lists.learningRate) {
    refuse(
      MULTIPLIER,
      `learning_rate is tried as it is given, which learning_rate_multiplier ${factor} would ` +
        'change; give one of the two',
    );
  }
  const candidates = candidatesOf(lists as TuningLists);
  // As everywhere on the wire, dropout is that on prompt and head.
  return candidates.map((candidate) =>
    candidate.dropout === undefined
      ? candidate
      : { ...candidate, headDropout: candidate.headDropout ?? candidate.dropout },
  );
}

/** Fields of a job, by the setting that they decide. */
const PARAMS: Readonly<Record<string, string>> = {
  task: 'prompt.task',
  recipe: 'prompt.recipe',
  method: 'prompt.method',
  length: 'prompt.length',
  from: 'prompt.from',
  learningRate: 'prompt.learning_rate',
  reparameterise: 'prompt.reparameterise',
  dropout: 'prompt.dropout',
  headDropout: 'prompt.dropout',
  pooling: 'prompt.pooling',
  languages: 'prompt.languages',
  offsetUnit: 'prompt.offset_unit',
  invalidTags: 'prompt.invalid_tags',
  patience: 'prompt.early_stopping',
  candidates: 'prompt.candidates',
  epochs: 'hyperparameters.n_epochs',
  batchSize: 'hyperparameters.batch_size',
  [MULTIPLIER]: 'hyperparameters.learning_rate_multiplier',
  seed: 'seed',
};

/** The field of a job that a refused setting came from. */
export function settingParam(setting: unknown): string {
  return (typeof setting === 'string' && PARAMS[setting]) || 'prompt';
}

/** Why settings are refused, as their sender reads it; undefined for all other errors. */
export function settingsRefusal(error: unknown) {
  if (!(error instanceof TuningError) || error.code !== 'bad_setting') return undefined;
  const param = settingParam(error.setting);
  return { param, message: `${param}: ${error.message}` };
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TuningError('bad_setting', `${what}: ${z.prettifyError(parsed.error)}`);
}

function given<T>(value: T | 'auto' | undefined): T | undefined {
  return value === 'auto' ? undefined : value;
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: NonNullable<T[K]> } {
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: NonNullable<T[K]> };
}
