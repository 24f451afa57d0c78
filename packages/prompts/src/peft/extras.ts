/**
 * What a prompt has and a PEFT adapter has no place for: polyprompt.json with labels, pooling and fingerprint, and a
 * head that the model class of the task cannot hold. PEFT passes over both files.
 */
import { z } from 'zod';
import { canonicalJson, HASH_PATTERN } from '../canonical.ts';
import { PromptError } from '../errors.ts';
import { problemsIn } from '../problems.ts';
import { Answering, POOLING_RULES, TASKS } from '../prompt.ts';
import { parseJson } from './config.ts';

export const EXTRAS_FILE = 'polyprompt.json';
export const HEAD_FILE = 'polyprompt_head.safetensors';
/** A model's own config.json beside an adapter has the labels, too. */
export const MODEL_CONFIG = 'config.json';

export const Extras = z.object({
  format_version: z.literal(1),
  task: z.enum(TASKS),
  pooling: z.enum(POOLING_RULES),
  backbone: z.object({ name: z.string(), fingerprint: z.string().regex(HASH_PATTERN) }),
  /** As in a model's config.json: label by index. */
  id2label: z.record(z.string().regex(/^\d+$/), z.string()),
  answering: Answering.optional(),
});
export type Extras = z.infer<typeof Extras>;

export function encodeExtras(extras: Extras): Uint8Array {
  return new TextEncoder().encode(`${canonicalJson(extras, 2)}\n`);
}

/** @throws PromptError `bad_adapter` */
export function decodeExtras(bytes: Uint8Array, source: string): Extras {
  const result = Extras.safeParse(parseJson(bytes, source));
  if (result.success) return result.data;
  throw new PromptError('bad_adapter', `${source}: ${problemsIn(result.error)}`);
}

export function id2labelOf(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(labels.map((label, i) => [String(i), label]));
}

/** Labels in the order of their indices. @throws PromptError `bad_adapter` where one is missing */
export function labelsOf(id2label: Readonly<Record<string, string>>, source: string): string[] {
  const count = Object.keys(id2label).length;
  return Array.from({ length: count }, (_, i) => {
    const label = id2label[String(i)];
    if (label !== undefined) return label;
    throw new PromptError(
      'bad_adapter',
      `${source}: id2label has ${count} labels, but none for ${i}; the indices must run from 0`,
    );
  });
}

/** The labels of a model's config.json; undefined if it has none. */
export function labelsOfModel(bytes: Uint8Array, source: string): string[] | undefined {
  const result = Model.safeParse(parseJson(bytes, source));
  const id2label = result.success ? result.data.id2label : undefined;
  return id2label && labelsOf(id2label, source);
}

/**
 * The labels of a file that a person names: a JSON list, or a config.json.
 * @throws PromptError `bad_adapter`
 */
export function labelsOfFile(bytes: Uint8Array, source: string): string[] {
  const list = z.array(z.string()).safeParse(parseJson(bytes, source));
  const labels = list.success ? list.data : labelsOfModel(bytes, source);
  if (labels !== undefined) return labels;
  throw new PromptError(
    'bad_adapter',
    `${source} has no labels; it must be a JSON list of them, or a config.json with id2label`,
  );
}

const Model = z.object({ id2label: z.record(z.string(), z.string()).optional() });
