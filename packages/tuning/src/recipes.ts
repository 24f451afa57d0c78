/**
 * Named sets of settings: our defaults, which must learn without help, and the papers' own
 * (PAPERS 1.3, from the released run scripts of Tu et al. 2022).
 */
import type { TaskName } from '@polyprompt/tasks';
import { TuningError } from './errors.ts';
import type { TuningSettings } from './settings.ts';

type Method = TuningSettings['method'];
type Recipe = Omit<TuningSettings, 'task' | 'method'>;

const COMMON: Omit<Recipe, 'recipe' | 'pooling'> = {
  languages: null,
  examples: null,
  devExamples: null,
  length: 16,
  learningRate: 5e-3,
  batchSize: 32,
  epochs: 30,
  schedule: 'linear',
  warmup: 0.06,
  decay: 0.95,
  weightDecay: 0.01,
  clip: 1,
  dropout: 0.1,
  headDropout: 0.1,
  positions: 'shifted',
  reparameterise: 0,
  verbalizer: null,
  initStd: 0.02,
  seed: 1,
  select: 'metric',
  patience: 8,
  maxTokens: 256,
  truncate: false,
  tokenBudget: 4096,
};

const BY_METHOD: Record<Method, Partial<Recipe>> = {
  prefix: {},
  soft: { length: 20, learningRate: 1e-2 },
  full: { learningRate: 1e-4, epochs: 20, dropout: 0 },
  head: { learningRate: 5e-3, dropout: 0 },
};

/** The papers train without warm-up or decay of weights, and keep the version of least dev loss. */
const TU2022: Partial<Recipe> = {
  warmup: 0,
  weightDecay: 0,
  clip: 1,
  patience: 0,
  pooling: 'pooler',
  maxTokens: 128,
  truncate: true,
  select: 'loss',
};

const PAPERS: Record<string, Partial<Recipe>> = {
  'tu2022-xnli': { ...TU2022, learningRate: 1e-3, length: 32, batchSize: 16 },
  'tu2022-pawsx': { ...TU2022, learningRate: 5e-3, length: 16, batchSize: 32 },
  'tu2022-udpos': {
    ...TU2022,
    learningRate: 1e-2,
    length: 16,
    batchSize: 16,
    schedule: 'exponential',
    maxTokens: 496,
  },
  'tu2022-qa': {
    ...TU2022,
    learningRate: 5e-3,
    length: 16,
    batchSize: 8,
    schedule: 'exponential',
    dropout: 0.2,
    headDropout: 0,
    maxTokens: 384,
    select: 'metric',
  },
};

export const RECIPES: readonly string[] = ['default', ...Object.keys(PAPERS)];

/** @throws TuningError `bad_setting` for a name that is no recipe */
export function recipeFor(
  name: string,
  _task: TaskName,
  method: Method,
  family: 'roberta' | 'bert' | 'xglm',
): Recipe {
  const paper = PAPERS[name];
  if (name !== 'default' && !paper) {
    throw new TuningError(
      'bad_setting',
      `recipe "${name}" is unknown; known are ${RECIPES.join(', ')}`,
    );
  }
  // A causal model's last token alone has seen the whole text.
  const pooling = family === 'xglm' ? 'last' : 'mean';
  const recipe = { ...COMMON, pooling, ...BY_METHOD[method], ...paper, recipe: name } as const;
  return family === 'xglm' ? { ...recipe, pooling } : recipe;
}
