/** A job's settings, in the words of the wire, as the input of the training loop: the one place that maps them. */
import type { Backbone } from '@polyprompt/backbone';
import { usableTokens } from '@polyprompt/backbone';
import type { Hyperparameters, PromptSettings } from '@polyprompt/contract';
import { resolveSettings, type TuningInput } from '@polyprompt/tuning';

export interface JobSettings {
  readonly seed?: number | null | undefined;
  readonly hyperparameters?: Hyperparameters | undefined;
  readonly prompt?: PromptSettings | undefined;
}

const DEFAULT_TASK = 'text-classification';

/**
 * What is absent or "auto" comes from the recipe.
 * @throws TuningError `bad_setting` for values that do not fit the backbone or each other
 */
export function tuningInput(job: JobSettings, backbone: Pick<Backbone, 'spec'>): TuningInput {
  const { prompt, seed } = job;
  const { n_epochs, batch_size, learning_rate_multiplier } = job.hyperparameters ?? {};
  const input: TuningInput = withoutUndefined({
    task: prompt?.task ?? DEFAULT_TASK,
    recipe: prompt?.recipe,
    method: prompt?.method,
    length: prompt?.length,
    learningRate: prompt?.learning_rate,
    dropout: prompt?.dropout,
    headDropout: prompt?.dropout,
    languages: prompt?.languages,
    patience: prompt?.early_stopping,
    epochs: given(n_epochs),
    batchSize: given(batch_size),
    seed: seed ?? undefined,
  });
  const traits = {
    family: backbone.spec.family,
    usableTokens: (length: number) => usableTokens(backbone.spec, length),
  };
  // Resolved here as well, so that bad values are refused before anything is downloaded.
  const { learningRate } = resolveSettings(input, traits);
  const factor = given(learning_rate_multiplier);
  if (factor === undefined) return input;
  const multiplied = { ...input, learningRate: learningRate * factor };
  resolveSettings(multiplied, traits);
  return multiplied;
}

function given<T>(value: T | 'auto' | undefined): T | undefined {
  return value === 'auto' ? undefined : value;
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: NonNullable<T[K]> } {
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: NonNullable<T[K]> };
}
