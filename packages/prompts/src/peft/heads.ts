/**
 * The heads that ride in an adapter under the names of the model class they are of. Prompt-learning models wrap the
 * class once, so the prefix is `base_model.`, not LoRA's `base_model.model.`.
 */
import { PromptError } from '../errors.ts';
import type { PoolingRule, Prompt, TASKS, Tensor } from '../prompt.ts';
import type { PeftBackbone } from './backbone.ts';
import type { PeftType } from './config.ts';
import { transposed } from './layout.ts';

export type TaskName = (typeof TASKS)[number];
type Tensors = ReadonlyMap<string, Tensor>;
export type Head = Pick<
  Prompt,
  'denseWeight' | 'denseBias' | 'headWeight' | 'headBias' | 'pooling'
>;

export const TASK_TYPES: Readonly<Record<string, TaskName>> = {
  SEQ_CLS: 'text-classification',
  TOKEN_CLS: 'token-classification',
  QUESTION_ANS: 'question-answering',
};

const PREFIX = 'base_model.';
const CLASSIFIER = `${PREFIX}classifier`;
const SCORE = `${PREFIX}score`;
const DENSE = `${CLASSIFIER}.dense`;
const OUT = `${CLASSIFIER}.out_proj`;
const QA = `${PREFIX}qa_outputs`;

/**
 * Reads the head of an adapter, in our layout.
 * @param tensors of the adapter, without the prompt itself
 * @throws PromptError `bad_adapter` naming the keys that are missing or unknown, `unsupported_adapter`
 */
export function readHead(
  source: string,
  tensors: Tensors,
  task: TaskName,
  type: PeftType,
  { family, hasPooler }: PeftBackbone,
): Head {
  // A model that takes the prompt for text reads the first virtual token where it would read the first one.
  const behindPrompt = type === 'PREFIX_TUNING';
  const first = behindPrompt ? 'first' : 'virtual';
  const take = keysTaken(source, tensors);
  if (task === 'question-answering') return { ...take.linear(QA), pooling: 'first', ...take.end() };
  if (task === 'token-classification') {
    return { ...take.linear(CLASSIFIER), pooling: 'first', ...take.end() };
  }
  if (family === 'xglm') return { ...take.linear(SCORE), pooling: 'last', ...take.end() };
  if (family === 'bert') {
    if (!hasPooler) {
      throw new PromptError(
        'unsupported_adapter',
        `${source}: BERT's classifier reads the pooler, which this checkpoint does not have; use one that has it`,
      );
    }
    const pooling = behindPrompt ? 'pooler' : 'virtual-pooler';
    return { ...take.linear(CLASSIFIER), pooling, ...take.end() };
  }
  const { headWeight, headBias } = take.linear(OUT);
  const dense = take.linear(DENSE);
  const layer = { denseWeight: dense.headWeight, denseBias: dense.headBias };
  return { ...layer, headWeight, headBias, pooling: first, ...take.end() };
}

function keysTaken(source: string, tensors: Tensors) {
  const left = new Set(tensors.keys());
  const found = [...left].toSorted().join(', ') || 'none';
  const get = (key: string): Tensor | undefined => {
    left.delete(key);
    return tensors.get(key);
  };
  return {
    /** A linear layer `[out, in]` as ours `[in, out]`. */
    linear(name: string): { readonly headWeight: Tensor; readonly headBias: Tensor } {
      const weight = get(`${name}.weight`);
      if (weight === undefined) {
        throw new PromptError(
          'bad_adapter',
          `${source} has no "${name}.weight", the head of this task and model; its other tensors are: ${found}. An adapter saved without its head (modules_to_save) must be saved again with it`,
        );
      }
      if (weight.shape.length !== 2) {
        throw new PromptError(
          'bad_adapter',
          `${source}: "${name}.weight" is [${weight.shape}], it must be [out, in]`,
        );
      }
      const bias = get(`${name}.bias`);
      // Decoders' `score` has no bias.
      const zeros = { shape: [weight.shape[0]!], data: new Float32Array(weight.shape[0]!) };
      if (bias === undefined && name !== SCORE) {
        throw new PromptError('bad_adapter', `${source} has "${name}.weight", but no bias`);
      }
      return { headWeight: transposed(weight), headBias: bias ?? zeros };
    },
    /** Nothing may be passed over in silence. */
    end(): Record<string, never> {
      if (left.size === 0) return {};
      throw new PromptError(
        'bad_adapter',
        `${source} has tensors that this task and model do not explain: ${[...left].toSorted().join(', ')}`,
      );
    },
  };
}

export interface WrittenHead {
  /** PEFT's task_type. */
  readonly task: string;
  /** PEFT's modules_to_save. */
  readonly modules: readonly string[] | null;
  readonly tensors: readonly (readonly [key: string, tensor: Tensor])[];
  /** Why the model class of the task cannot hold this head; it goes beside the adapter then. */
  readonly beside: string | undefined;
}

const SEQUENCE_MODULES = ['classifier', 'score'];

/** Puts a head where the model class of its task has one, if it computes exactly the same there. */
export function writeHead(prompt: Prompt, backbone: PeftBackbone): WrittenHead {
  const { task } = prompt;
  const { family } = backbone;
  const inside = (taskType: string, modules: readonly string[], ...layers: Linear[]) => ({
    task: taskType,
    modules,
    tensors: layers.flatMap(([name, weight, bias]) => [
      [`${name}.weight`, transposed(weight)] as const,
      [`${name}.bias`, bias] as const,
    ]),
    beside: undefined,
  });
  const beside = (why: string): WrittenHead => ({
    task: 'FEATURE_EXTRACTION',
    modules: null,
    tensors: [],
    beside: why,
  });
  const head = (name: string): Linear => [name, prompt.headWeight, prompt.headBias];
  if (family === 'xglm') return beside('transformers has no model class with a head for XGLM');
  if (task === 'token-classification')
    return inside('TOKEN_CLS', SEQUENCE_MODULES, head(CLASSIFIER));
  if (task === 'question-answering') return inside('QUESTION_ANS', ['qa_outputs'], head(QA));

  const reads = sequenceReads(prompt);
  if (reads === undefined) {
    return beside(
      `PEFT's classification models read the ${prompt.softPrompt ? 'first virtual token' : 'first token'}, this head pools by "${prompt.pooling}"`,
    );
  }
  if (family === 'bert') {
    if (reads === 'pooler') return inside('SEQ_CLS', SEQUENCE_MODULES, head(CLASSIFIER));
    return beside(
      "BERT's classification model has its pooler before the classifier, this head has not",
    );
  }
  const dense =
    reads === 'dense' ? ownDense(prompt) : reads === 'pooler' ? poolerOf(backbone) : undefined;
  if (dense === undefined) {
    return beside(
      "RoBERTa's classification head has a dense layer with tanh, which no weights turn into the identity; this head is linear",
    );
  }
  return inside('SEQ_CLS', SEQUENCE_MODULES, [DENSE, ...dense], head(OUT));
}

type Linear = readonly [name: string, weight: Tensor, bias: Tensor];

/** What stands between the state that PEFT's models read and the head; undefined where they read another state. */
function sequenceReads({
  pooling,
  denseWeight,
  softPrompt,
}: Prompt): 'linear' | 'dense' | 'pooler' | undefined {
  const [plain, pooled]: [PoolingRule, PoolingRule] = softPrompt
    ? ['virtual', 'virtual-pooler']
    : ['first', 'pooler'];
  if (pooling === plain) return denseWeight ? 'dense' : 'linear';
  return pooling === pooled && !denseWeight ? 'pooler' : undefined;
}

function ownDense({ denseWeight, denseBias }: Prompt): readonly [Tensor, Tensor] {
  return [denseWeight!, denseBias!];
}

/** The head after the pooler is RoBERTa's head with the pooler for its dense layer. */
function poolerOf(backbone: PeftBackbone): readonly [Tensor, Tensor] | undefined {
  const pooler = backbone.pooler();
  return pooler && [transposed(pooler.weight), pooler.bias];
}
