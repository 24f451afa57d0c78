// card.json: how a version came to be and how good it is. It binds the bytes of prompt.safetensors
// by their hash and itself by its own, so damage to either is found and named. The hashes are no
// signature: whoever can rewrite both files can rewrite the hashes.

import { z } from 'zod';
import { canonicalJson, contentHash, HASH_PATTERN } from './canonical.ts';
import { assertReadable, FORMAT_VERSION, formatVersionOf, PROMPT_FILE } from './encode.ts';
import { PromptError } from './errors.ts';
import { problemsIn } from './problems.ts';
import {
  Answering,
  METHODS,
  POOLING_RULES,
  POSITION_RULES,
  type Prompt,
  parameterCount,
  promptLength,
  TASKS,
  TrainingSummary,
} from './prompt.ts';

export const CARD_FILE = 'card.json';

const Hash = z.string().regex(HASH_PATTERN, 'must be "sha256:" and 64 hex digits');
const Count = z.int().nonnegative();
const Scores = z.record(z.string(), z.number());

/** One data file that took part, by content. */
export const DataFile = z.object({
  role: z.enum(['train', 'dev', 'test']),
  name: z.string(),
  hash: Hash,
  bytes: Count,
  examples: Count,
  /** Examples per language, as the data names them. */
  languages: z.record(z.string(), Count),
});

/** Scores by metric name, over all examples and per language. */
export const Metrics = z.object({ overall: Scores, languages: z.record(z.string(), Scores) });

/** What only the caller of `writePrompt` knows. */
export const CardDetails = z.object({
  /** ISO 8601, UTC. */
  created: z.iso.datetime(),
  data: z.array(DataFile),
  /** Every setting of the run, defaults included. */
  settings: z.record(z.string(), z.json()),
  metrics: z.object({ dev: Metrics.optional(), test: Metrics.optional() }),
  lineage: z.object({
    /** The version that training continued from. */
    parent: z.object({ ref: z.string(), hash: Hash }).nullable(),
  }),
  /** What was tried side by side, when there was more than one. */
  candidates: z
    .array(
      z.object({
        /** What sets it apart from `settings`. */
        settings: z.record(z.string(), z.json()),
        steps: Count,
        /** Its best version on the dev set; null when there was none. */
        best: z.object({ step: Count, loss: z.number(), metric: z.number() }).nullable(),
        diverged: z.boolean(),
        /** Whether this is the one. */
        published: z.boolean(),
      }),
    )
    .optional(),
  /** Library name to version. */
  versions: z.record(z.string(), z.string()),
  wall_seconds: z.number().nonnegative(),
  device: z.string(),
});

/** The content of card.json. */
export const PromptCard = CardDetails.extend({
  format_version: z.int().min(1).max(FORMAT_VERSION),
  prompt: z.object({ file: z.literal(PROMPT_FILE), hash: Hash, bytes: Count }),
  task: z.enum(TASKS),
  labels: z.array(z.string()),
  method: z.enum(METHODS),
  length: Count,
  parameters: Count,
  positions: z.enum(POSITION_RULES),
  pooling: z.enum(POOLING_RULES),
  backbone: z.object({ name: z.string(), fingerprint: Hash }),
  training: TrainingSummary,
  /** What the prompt answers with unless a request says otherwise. */
  answering: Answering.optional(),
  /** Over the canonical JSON of all other fields. */
  hash: Hash,
});

export type DataFile = z.infer<typeof DataFile>;
export type Metrics = z.infer<typeof Metrics>;
export type CardDetails = z.infer<typeof CardDetails>;
export type PromptCard = z.infer<typeof PromptCard>;

/**
 * Makes the card of a prompt.
 * @param promptBytes the file as it will be stored, from `encodePrompt`
 * @throws PromptError `bad_card` naming the field of `details`
 */
export function makeCard(
  prompt: Prompt,
  promptBytes: Uint8Array,
  details: CardDetails,
): PromptCard {
  const unsigned: Omit<PromptCard, 'hash'> = {
    ...parse(CardDetails, details, CARD_FILE),
    format_version: formatVersionOf(prompt),
    prompt: { file: PROMPT_FILE, hash: contentHash(promptBytes), bytes: promptBytes.byteLength },
    task: prompt.task,
    labels: [...prompt.labels],
    method: prompt.method,
    length: promptLength(prompt),
    parameters: parameterCount(prompt),
    positions: prompt.positions,
    pooling: prompt.pooling,
    backbone: { name: prompt.backboneName, fingerprint: prompt.backbone },
    training: prompt.training,
    ...(prompt.answering && { answering: prompt.answering }),
  };
  return { ...unsigned, hash: contentHash(canonicalJson(unsigned)) };
}

/** The bytes of card.json: sorted keys, two spaces, a final newline. */
export function encodeCard(card: PromptCard): Uint8Array {
  return new TextEncoder().encode(cardText(card));
}

/**
 * Parses card.json and checks its own hash, down to the last byte of white space.
 * @throws PromptError `damaged`, `format_too_new` or `bad_card`
 */
export function decodeCard(bytes: Uint8Array, source = CARD_FILE): PromptCard {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const raw = parseObject(text, source);
  if (!isSound(raw, text)) throw damaged(source, 'its content does not match its own hash');
  if (typeof raw.format_version === 'number') assertReadable(source, raw.format_version);
  return parse(PromptCard, raw, source);
}

/** @throws PromptError `damaged` if these are not the bytes that the card describes */
export function assertSameBytes(
  card: PromptCard,
  promptBytes: Uint8Array,
  source = PROMPT_FILE,
): void {
  const { hash, bytes } = card.prompt;
  if (promptBytes.byteLength !== bytes) {
    throw damaged(source, `it has ${promptBytes.byteLength} bytes, its card says ${bytes}`);
  }
  const actual = contentHash(promptBytes);
  if (actual !== hash) throw damaged(source, `its hash is ${actual}, its card says ${hash}`);
}

function isSound({ hash, ...rest }: Record<string, unknown>, text: string): boolean {
  try {
    return hash === contentHash(canonicalJson(rest)) && text === cardText({ hash, ...rest });
  } catch {
    // Lists in lists can be parsed deeper than they can be written; no card was written so.
    return false;
  }
}

function cardText(card: unknown): string {
  return `${canonicalJson(card, 2)}\n`;
}

function parseObject(text: string, source: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Reported below, with everything else that is not an object in JSON.
  }
  throw damaged(source, 'it is not a JSON object');
}

function parse<T>(schema: z.ZodType<T>, value: unknown, source: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new PromptError('bad_card', `${source}: ${problemsIn(result.error)}`);
}

function damaged(source: string, what: string): PromptError {
  return new PromptError(
    'damaged',
    `${source}: damaged: ${what}; restore it from a copy or train again`,
  );
}
