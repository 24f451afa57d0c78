// config.json of a Hugging Face folder -> BackboneSpec: one vocabulary for all families, every field
// present and checked. A setting that would change the computation and is not implemented is refused.

import { z } from 'zod';
import { BackboneError } from './errors.ts';

export type Family = 'roberta' | 'bert' | 'xglm';

/** The shape of a backbone and the constants of its arithmetic. */
export interface BackboneSpec {
  readonly family: Family;
  /** As config.json says it: `xlm-roberta` and `roberta` are both family `roberta`. */
  readonly modelType: string;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** `hidden / heads` */
  readonly headDim: number;
  readonly intermediate: number;
  readonly vocabSize: number;
  /** Rows of the position table; for xglm, whose positions are computed, the length it was trained for. */
  readonly maxPositions: number;
  /** Rows of the token type table; 0 for xglm, which has none. */
  readonly typeVocabSize: number;
  readonly layerNormEps: number;
  readonly padId: number;
  /** Exact, by the error function. */
  readonly activation: 'gelu';
  /** Whether word embeddings are multiplied by sqrt(hidden). */
  readonly scaleEmbedding: boolean;
  readonly initializerRange: number;
  readonly hiddenDropout: number;
}

const FAMILY_OF_MODEL_TYPE: Readonly<Record<string, Family>> = {
  'xlm-roberta': 'roberta',
  roberta: 'roberta',
  bert: 'bert',
  xglm: 'xglm',
};

export const SUPPORTED_MODEL_TYPES: readonly string[] = Object.keys(FAMILY_OF_MODEL_TYPE);

// Far above any released model; a damaged number must not become an endless loop or an allocation.
const size = z.int().min(1).max(10_000_000);
const layers = z.int().min(1).max(1_000);
const tokenId = z.int().min(0).max(10_000_000);
const probability = z.number().min(0).max(1);
const positive = z.number().positive();

// Defaults are those of the reference implementation's configuration classes.
const encoderConfig = z.object({
  vocab_size: size,
  hidden_size: size,
  num_hidden_layers: layers,
  num_attention_heads: size,
  intermediate_size: size,
  max_position_embeddings: size,
  type_vocab_size: size.default(2),
  layer_norm_eps: positive.default(1e-12),
  hidden_act: z.string().default('gelu'),
  hidden_dropout_prob: probability.default(0.1),
  initializer_range: positive.default(0.02),
  position_embedding_type: z.string().default('absolute'),
  is_decoder: z.boolean().default(false),
  pad_token_id: tokenId.optional(),
});

const xglmConfig = z.object({
  vocab_size: size,
  d_model: size,
  num_layers: layers,
  attention_heads: size,
  ffn_dim: size,
  max_position_embeddings: size.default(2048),
  activation_function: z.string().default('gelu'),
  dropout: probability.default(0.1),
  init_std: positive.default(0.02),
  scale_embedding: z.boolean().default(true),
  pad_token_id: tokenId.default(1),
});

/**
 * Parses the text of a config.json.
 * @param source the file's path, for messages
 * @throws BackboneError `bad_config` (naming field and value), `unknown_model_type` or `unsupported_activation`
 */
export function parseConfig(source: string, text: string): BackboneSpec {
  const raw = parseObject(source, text);
  const modelType = raw.model_type;
  const family = typeof modelType === 'string' ? familyOf(modelType) : undefined;
  if (typeof modelType !== 'string' || family === undefined) {
    const found = modelType === undefined ? 'no model_type' : `model_type ${show(modelType)}`;
    throw new BackboneError(
      'unknown_model_type',
      `${source} has ${found}; supported are ${SUPPORTED_MODEL_TYPES.join(', ')}`,
    );
  }
  const spec =
    family === 'xglm' ? parseXglm(source, raw) : parseEncoder(source, raw, family, modelType);
  if (spec.hidden % spec.heads !== 0) {
    throw bad(source, `hidden size ${spec.hidden} is not divisible by ${spec.heads} heads`);
  }
  if (spec.padId >= spec.vocabSize) {
    throw bad(source, `pad_token_id ${spec.padId} is outside vocab_size ${spec.vocabSize}`);
  }
  if (usableTokens(spec, 0) < 1) {
    throw bad(source, `max_position_embeddings ${spec.maxPositions} leaves no room for a token`);
  }
  return spec;
}

/**
 * How many tokens, special ones included, fit behind a prompt of `promptLength`; 0 if none.
 * The RoBERTa family numbers positions from pad_id + 1, so that many rows of its table are lost.
 */
export function usableTokens(spec: BackboneSpec, promptLength: number): number {
  const reserved = spec.family === 'roberta' ? spec.padId + 1 : 0;
  return Math.max(0, spec.maxPositions - reserved - promptLength);
}

/** Two special tokens and one of text: a prompt that leaves less room can read nothing. */
const SHORTEST_TEXT = 3;

/** The longest prompt that still leaves room for one token of text between two special ones. */
export function maxPromptLength(spec: BackboneSpec): number {
  return Math.max(0, usableTokens(spec, 0) - SHORTEST_TEXT);
}

/** @throws BackboneError `prompt_too_long` with the limit, `bad_option` if it is not a whole number */
export function checkPromptLength(spec: BackboneSpec, promptLength: number): void {
  if (!Number.isSafeInteger(promptLength) || promptLength < 0) {
    throw new BackboneError(
      'bad_option',
      `prompt length ${promptLength} must be a whole number from 0 to ${maxPromptLength(spec)}`,
    );
  }
  if (promptLength > maxPromptLength(spec)) {
    throw new BackboneError(
      'prompt_too_long',
      `a prompt of ${promptLength} positions does not fit: the position table of this ${spec.modelType} has ${spec.maxPositions} rows, which allows at most ${maxPromptLength(spec)}; choose a shorter prompt`,
    );
  }
}

function parseEncoder(
  source: string,
  raw: Record<string, unknown>,
  family: 'roberta' | 'bert',
  modelType: string,
): BackboneSpec {
  const config = parseFields(source, encoderConfig, raw);
  if (config.position_embedding_type !== 'absolute') {
    throw bad(
      source,
      `position_embedding_type ${show(config.position_embedding_type)} is not supported, only "absolute"`,
    );
  }
  if (config.is_decoder) throw bad(source, 'is_decoder true is not supported, only encoders');
  return {
    family,
    modelType,
    hidden: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    headDim: config.hidden_size / config.num_attention_heads,
    intermediate: config.intermediate_size,
    vocabSize: config.vocab_size,
    maxPositions: config.max_position_embeddings,
    typeVocabSize: config.type_vocab_size,
    layerNormEps: config.layer_norm_eps,
    padId: config.pad_token_id ?? (family === 'bert' ? 0 : 1),
    activation: requireGelu(source, 'hidden_act', config.hidden_act),
    scaleEmbedding: false,
    initializerRange: config.initializer_range,
    hiddenDropout: config.hidden_dropout_prob,
  };
}

function parseXglm(source: string, raw: Record<string, unknown>): BackboneSpec {
  const config = parseFields(source, xglmConfig, raw);
  if (config.d_model % 2 !== 0 || config.d_model < 4) {
    throw bad(source, `d_model ${config.d_model} must be even and at least 4 (sines and cosines)`);
  }
  return {
    family: 'xglm',
    modelType: 'xglm',
    hidden: config.d_model,
    layers: config.num_layers,
    heads: config.attention_heads,
    headDim: config.d_model / config.attention_heads,
    intermediate: config.ffn_dim,
    vocabSize: config.vocab_size,
    maxPositions: config.max_position_embeddings,
    typeVocabSize: 0,
    // The reference code never passes an eps, so its LayerNorm default holds.
    layerNormEps: 1e-5,
    padId: config.pad_token_id,
    activation: requireGelu(source, 'activation_function', config.activation_function),
    scaleEmbedding: config.scale_embedding,
    initializerRange: config.init_std,
    hiddenDropout: config.dropout,
  };
}

function familyOf(modelType: string): Family | undefined {
  return Object.hasOwn(FAMILY_OF_MODEL_TYPE, modelType)
    ? FAMILY_OF_MODEL_TYPE[modelType]
    : undefined;
}

function parseObject(source: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw bad(source, `it is not valid JSON: ${(cause as Error).message}`, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad(source, 'it is not a JSON object');
  }
  // null means "not set" in these files.
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}

function parseFields<T>(source: string, schema: z.ZodType<T>, raw: Record<string, unknown>): T {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => {
    const field = String(issue.path[0]);
    return Object.hasOwn(raw, field)
      ? `${field} is ${show(raw[field])}: ${issue.message}`
      : `${field} is missing`;
  });
  throw bad(source, issues.join('; '));
}

function requireGelu(source: string, field: string, activation: string): 'gelu' {
  if (activation === 'gelu') return activation;
  throw new BackboneError(
    'unsupported_activation',
    `${source}: ${field} ${show(activation)} is not supported, only "gelu" (exact)`,
  );
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? String(value);
}

function bad(source: string, what: string, cause?: unknown): BackboneError {
  return new BackboneError('bad_config', `${source}: ${what}`, { cause });
}
