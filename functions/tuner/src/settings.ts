/** A job's settings, in the words of the wire, as the input of the training loop: the one place that maps them. */
import { type Backbone, usableTokens } from '@polyprompt/backbone';
import { Hyperparameters, PromptSettings } from '@polyprompt/contract';
import {
  resolveSettings,
  TuningError,
  type TuningInput,
  type TuningSettings,
} from '@polyprompt/tuning';
import { z } from 'zod';

type Spec = Backbone['spec'];

export interface JobSettings {
  readonly seed: number;
  /** `Hyperparameters` and `PromptSettings` of the contract. */
  readonly hyperparameters: object;
  readonly settings: object;
}

const DEFAULT_TASK = 'text-classification';

/**
 * What is absent or "auto" comes from the recipe.
 * @throws TuningError `bad_setting` for values that do not fit the backbone or each other
 */
export function tuningInput(job: JobSettings, spec: Spec): TuningInput {
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
    languages: native.languages,
    patience: native.early_stopping,
    epochs: given(common.n_epochs),
    batchSize: given(common.batch_size),
    seed: job.seed,
  });
  const { learningRate } = resolve(input, spec);
  const factor = given(common.learning_rate_multiplier);
  if (factor === undefined) return input;
  const multiplied = { ...input, learningRate: learningRate * factor };
  resolve(multiplied, spec);
  return multiplied;
}

/** The hyper-parameters with the values that "auto" came to. They map to the same input. */
export function hyperparametersOf(job: JobSettings, input: TuningInput, spec: Spec) {
  const { epochs, batchSize } = resolve(input, spec);
  const { learning_rate_multiplier } = parse(
    Hyperparameters,
    job.hyperparameters,
    'hyperparameters',
  );
  return {
    n_epochs: epochs,
    batch_size: batchSize,
    learning_rate_multiplier: given(learning_rate_multiplier) ?? 1,
  };
}

function resolve(input: TuningInput, spec: Spec): TuningSettings {
  return resolveSettings(input, {
    family: spec.family,
    usableTokens: (length) => usableTokens(spec, length),
  });
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
