import { z } from 'zod';
import { LIMITS } from '../limits.ts';

export const TASKS = ['text-classification', 'token-classification', 'question-answering'] as const;
export const Task = z.enum(TASKS).meta({ id: 'Task' });
export type Task = z.infer<typeof Task>;

export const Timestamp = z.int().nonnegative().describe('Unix time in seconds.');

/** Tags of the caller: OpenAI's limits. */
export const Metadata = z
  .record(
    z.string().min(1).max(LIMITS.metadataKeyLength),
    z.string().max(LIMITS.metadataValueLength),
  )
  .refine((pairs) => Object.keys(pairs).length <= LIMITS.metadataPairs, {
    message: `expected at most ${LIMITS.metadataPairs} pairs`,
  })
  .meta({
    id: 'Metadata',
    description: `At most ${LIMITS.metadataPairs} pairs of strings; keys up to ${LIMITS.metadataKeyLength} characters, values up to ${LIMITS.metadataValueLength}.`,
  });

/** `GET ?limit&after`: the next page is asked for with the id of the last item. */
export function pageQuery(
  page: { readonly max: number; readonly default: number },
  id: z.ZodType<string> = z.string().min(1),
) {
  return z.object({
    limit: z.coerce
      .number()
      .int()
      .min(1)
      .max(page.max)
      .default(page.default)
      .describe('Items on the page.'),
    after: id.optional().describe('Id of the last item of the page before.'),
  });
}

export const Order = z.enum(['asc', 'desc']).default('desc').describe('By time of creation.');

/** A page of items; `has_more` tells clients whether to ask for another. */
export function listOf<T extends z.ZodType>(id: string, item: T) {
  return z
    .object({
      object: z.literal('list'),
      data: z.array(item),
      has_more: z.boolean(),
      first_id: z.string().nullable().optional(),
      last_id: z.string().nullable().optional(),
    })
    .meta({ id });
}

/** What a DELETE answers. */
export function deletedOf<T extends string>(id: string, object: T) {
  return z
    .object({ id: z.string(), object: z.literal(object), deleted: z.literal(true) })
    .meta({ id });
}

/** Ids made by the service: a prefix, then letters, digits, "-" and "_"; nothing that a path could abuse. */
export function idOf(prefix: string) {
  return z
    .string()
    .regex(
      new RegExp(`^${prefix}-[A-Za-z0-9_-]{1,64}$`),
      `must be an id that begins with "${prefix}-"`,
    );
}
