/**
 * adapter_config.json of Hugging Face PEFT, as far as prompts go. Written with the keys that every release reads:
 * current ones pass over unknown keys, old ones refuse them.
 */
import { z } from 'zod';
import { canonicalJson } from '../canonical.ts';
import { PromptError } from '../errors.ts';
import { problemsIn } from '../problems.ts';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';
export const ADAPTER_PICKLE = 'adapter_model.bin';

/** PEFT's P_TUNING is a prompt in front of the text as well; its encoder is folded when it is saved. */
export const PEFT_TYPES = ['PREFIX_TUNING', 'PROMPT_TUNING', 'P_TUNING'] as const;
export type PeftType = (typeof PEFT_TYPES)[number];

const size = z.int().min(1).max(10_000_000);

/** Only what is read; everything else may be anything. */
const AdapterConfig = z.object({
  peft_type: z.string(),
  task_type: z.string().nullish(),
  base_model_name_or_path: z.string().nullish(),
  num_virtual_tokens: size,
  // Never recomputed from the model: PEFT adapts them where keys and values have heads of their own.
  num_layers: size,
  num_attention_heads: size,
  token_dim: size,
  num_transformer_submodules: z.int().min(1).max(2).nullish(),
});
export type AdapterConfig = Omit<z.infer<typeof AdapterConfig>, 'peft_type'> & {
  readonly peft_type: PeftType;
};

/** @throws PromptError `bad_adapter`, `unsupported_adapter` */
export function decodeAdapterConfig(bytes: Uint8Array, source = ADAPTER_CONFIG): AdapterConfig {
  const value = parseJson(bytes, source);
  const type = (value as { peft_type?: unknown } | null)?.peft_type;
  if (typeof type === 'string' && !isPeftType(type)) {
    throw new PromptError(
      'unsupported_adapter',
      `${source}: peft_type is ${JSON.stringify(type)}; importable are ${PEFT_TYPES.join(', ')}, which leave the backbone as it is`,
    );
  }
  const result = AdapterConfig.safeParse(value);
  if (!result.success) {
    throw new PromptError('bad_adapter', `${source}: ${problemsIn(result.error)}`);
  }
  if ((result.data.num_transformer_submodules ?? 1) !== 1) {
    throw new PromptError(
      'unsupported_adapter',
      `${source}: num_transformer_submodules is 2; prompts for an encoder and a decoder at once are not supported`,
    );
  }
  return result.data as AdapterConfig;
}

export interface AdapterFacts {
  readonly type: 'PREFIX_TUNING' | 'PROMPT_TUNING';
  readonly task: string;
  readonly baseModel: string;
  readonly length: number;
  readonly layers: number;
  readonly heads: number;
  readonly hidden: number;
  readonly headModules: readonly string[] | null;
}

/** As PEFT writes it: sorted keys, two spaces, no newline at the end. */
export function encodeAdapterConfig(facts: AdapterFacts): Uint8Array {
  const common = {
    auto_mapping: null,
    base_model_name_or_path: facts.baseModel,
    inference_mode: true,
    modules_to_save: facts.headModules,
    num_attention_heads: facts.heads,
    num_layers: facts.layers,
    num_transformer_submodules: 1,
    num_virtual_tokens: facts.length,
    peft_type: facts.type,
    revision: null,
    task_type: facts.task,
    token_dim: facts.hidden,
  };
  const own =
    facts.type === 'PREFIX_TUNING'
      ? { encoder_hidden_size: facts.hidden, prefix_projection: false }
      : {
          prompt_tuning_init: 'RANDOM',
          prompt_tuning_init_text: null,
          tokenizer_kwargs: null,
          tokenizer_name_or_path: null,
        };
  const text = canonicalJson({ ...common, ...own }, 2);
  // Python's json module escapes all but ASCII.
  const ascii = text.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return new TextEncoder().encode(ascii);
}

/** @throws PromptError `bad_adapter` */
export function parseJson(bytes: Uint8Array, source: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new PromptError('bad_adapter', `${source} is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function isPeftType(text: string): text is PeftType {
  return (PEFT_TYPES as readonly string[]).includes(text);
}
