/**
 * Named sets of settings: our defaults, which must learn without help, and the papers' own
 * (PAPERS 1.3, from the released run scripts of Tu et al. 2022).
 */
import type { TaskName } from '@polyprompt/tasks';
import { refuseSetting } from './errors.ts';
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
  offsetUnit: 'codepoint',
  invalidTags: 'fix',
  tokenBudget: null,
};

const BY_METHOD: Record<Method, Partial<Recipe>> = {
  prefix: {},
  soft: { length: 20, learningRate: 1e-2 },
  full: { learningRate: 1e-4, epochs: 20, dropout: 0 },
  head: { learningRate: 5e-3, dropout: 0 },
};

/** What differs by task where the user says nothing. */
const BY_TASK: Record<TaskName, Partial<Recipe>> = {
  'text-classification': {},
  'token-classification': { learningRate: 2e-2, batchSize: 16, epochs: 20, patience: 5 },
  // Every text is several rows of this length, so an epoch is long.
  'question-answering': { batchSize: 16, epochs: 10, patience: 3, maxTokens: 384 },
};

/** The papers train without warm-up or decay of weights, and keep the version of least dev loss. */
const TU2022: Partial<Recipe> = {
  epochs: 30,
  schedule: 'linear',
  dropout: 0.1,
  headDropout: 0.1,
  warmup: 0,
  weightDecay: 0,
  clip: 1,
  patience: 0,
  pooling: 'pooler',
  maxTokens: 128,
  truncate: true,
  select: 'loss',
};
const XNLI = { ...TU2022, learningRate: 1e-3, length: 32, batchSize: 16 };
const PAWSX = { ...TU2022, learningRate: 5e-3, length: 16, batchSize: 32 };
const UDPOS = {
  ...TU2022,
  learningRate: 1e-2,
  length: 16,
  batchSize: 16,
  schedule: 'exponential',
  maxTokens: 496,
} as const;
const QA = {
  ...TU2022,
  learningRate: 5e-3,
  length: 16,
  batchSize: 8,
  schedule: 'exponential',
  dropout: 0.2,
  headDropout: 0,
  maxTokens: 384,
  select: 'metric',
} as const;

/**
 * Of Park et al. 2023 no setting could be sourced but the share of at most 0.13 % of XGLM's
 * parameters, which 14 keys and values per layer are on the 564M model (PAPERS 2.3); the rest is Tu
 * et al.'s.
 */
const PARK2023 = { length: 14 };

interface PaperRecipe {
  readonly task: TaskName;
  readonly prompt: Partial<Recipe>;
  /**
   * The scripts' fine-tuning, whose rates are arguments: 3e-5 for answers is the authors' word in
   * an issue; the others are XTREME's.
   */
  readonly full: Partial<Recipe>;
}

const FULL = { headDropout: 0.1, dropout: 0 };
const PAIRS_FULL = { ...FULL, learningRate: 3e-5, batchSize: 32, epochs: 2 };
const TAGS_FULL = { ...FULL, learningRate: 2e-5, batchSize: 16, epochs: 5 };
const QA_FULL = { ...FULL, learningRate: 3e-5, batchSize: 8, epochs: 2, headDropout: 0 };

const PAIRS = { task: 'text-classification' } as const;
const TAGS = { task: 'token-classification' } as const;
const ANSWERS = { task: 'question-answering' } as const;
const PAWSX_FULL = { ...PAIRS_FULL, learningRate: 2e-5 };

const PAPERS: Record<string, PaperRecipe> = {
  'tu2022-xnli': { ...PAIRS, prompt: XNLI, full: PAIRS_FULL },
  'tu2022-pawsx': { ...PAIRS, prompt: PAWSX, full: PAWSX_FULL },
  'tu2022-udpos': { ...TAGS, prompt: UDPOS, full: TAGS_FULL },
  'tu2022-qa': { ...ANSWERS, prompt: QA, full: QA_FULL },
  'park2023-xnli': { ...PAIRS, prompt: { ...XNLI, ...PARK2023 }, full: PAIRS_FULL },
  'park2023-pawsx': { ...PAIRS, prompt: { ...PAWSX, ...PARK2023 }, full: PAWSX_FULL },
  'park2023-udpos': { ...TAGS, prompt: { ...UDPOS, ...PARK2023 }, full: TAGS_FULL },
  'park2023-ner': { ...TAGS, prompt: { ...UDPOS, ...PARK2023 }, full: TAGS_FULL },
};

export const RECIPES: readonly string[] = ['default', ...Object.keys(PAPERS)];

/** The recipes of a task. */
export function recipesFor(task: TaskName): readonly string[] {
  return RECIPES.filter((name) => name === 'default' || PAPERS[name]!.task === task);
}

/** @throws TuningError `bad_setting` for a name that is no recipe, or one of another task */
export function recipeFor(
  name: string,
  task: TaskName,
  method: Method,
  family: 'roberta' | 'bert' | 'xglm',
): Recipe {
  const paper = Object.hasOwn(PAPERS, name) ? PAPERS[name] : undefined;
  if (name !== 'default' && !paper) {
    refuseSetting('recipe', `recipe "${name}" is unknown; known are ${RECIPES.join(', ')}`);
  }
  if (paper && paper.task !== task) {
    refuseSetting(
      'recipe',
      `recipe "${name}" is for ${paper.task}, the task is ${task}; recipes for it are ` +
        recipesFor(task).join(', '),
    );
  }
  // A causal model's last token alone has seen the whole text; tags and answers pool nothing.
  const pooling = family === 'xglm' ? 'last' : 'mean';
  const pools = family !== 'xglm' && task === 'text-classification';
  const own = { ...paper?.prompt, ...(method === 'full' ? paper?.full : {}) };
  const recipe = {
    ...COMMON,
    pooling,
    ...BY_TASK[task],
    ...BY_METHOD[method],
    ...own,
    recipe: name,
  } as const;
  return pools ? recipe : { ...recipe, pooling };
}
