// Native: prompts, their immutable versions and the aliases that point to them.

import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { AliasName, Name, Version } from '../names.ts';
import { deletedOf, listOf, pageQuery, Task, Timestamp } from './common.ts';

const Share = z.strictObject({
  version: Version,
  weight: z.int().min(1).max(99).describe('Percent of the traffic.'),
});

const Split = z
  .array(Share)
  .min(2)
  .max(LIMITS.splitVersions)
  .refine((shares) => shares.reduce((sum, { weight }) => sum + weight, 0) === 100, {
    message: 'the weights must add up to 100',
  })
  .refine((shares) => new Set(shares.map(({ version }) => version)).size === shares.length, {
    message: 'each version may occur once',
  })
  .meta({
    id: 'Split',
    description:
      'Shares of the traffic, in percent, 100 together; sticky by the header x-split-key.',
  });

/** Where an alias points: one version, or several with weights. */
export const AliasTarget = z
  .union([z.strictObject({ version: Version }), z.strictObject({ split: Split })])
  .meta({ id: 'AliasTarget' });
export type AliasTarget = z.infer<typeof AliasTarget>;

export const Alias = z
  .object({
    object: z.literal('prompt.alias'),
    prompt: Name,
    alias: AliasName,
    target: AliasTarget,
    updated_at: Timestamp,
  })
  .meta({ id: 'Alias' });
export type Alias = z.infer<typeof Alias>;

export const PromptObject = z
  .object({
    id: Name,
    object: z.literal('prompt'),
    created_at: Timestamp,
    updated_at: Timestamp,
    latest_version: Version,
    aliases: z.record(AliasName, AliasTarget),
  })
  .meta({ id: 'Prompt' });
export type PromptObject = z.infer<typeof PromptObject>;

export const PromptVersion = z
  .object({
    id: z.string().describe('ft:<backbone>:<tenant>:<name>:<version>'),
    object: z.literal('prompt.version'),
    prompt: Name,
    version: Version,
    created_at: Timestamp,
    task: Task,
    labels: z.array(z.string()),
    method: z.enum(['prefix', 'soft', 'head']),
    length: z.int().nonnegative(),
    parameters: z.int().nonnegative(),
    backbone: z.string(),
    hash: z.string().describe('SHA-256 of prompt.safetensors.'),
    bytes: z.int().nonnegative(),
    job: z.string().nullable().describe('The job that made it; null if imported.'),
    aliases: z.array(AliasName),
  })
  .meta({ id: 'PromptVersion' });
export type PromptVersion = z.infer<typeof PromptVersion>;

/** card.json as it was written; the artifact's own package has its full schema. */
export const CardObject = z
  .looseObject({
    format_version: z.int().min(1),
    created: z.iso.datetime(),
    task: Task,
    labels: z.array(z.string()),
    prompt: z.object({ file: z.string(), hash: z.string(), bytes: z.int().nonnegative() }),
    backbone: z.object({ name: z.string(), fingerprint: z.string() }),
    hash: z.string(),
  })
  .meta({
    id: 'PromptCard',
    description:
      'Data hashes, settings, metrics per language, lineage and library versions of a version.',
  });

export const RollbackRequest = z
  .strictObject({ alias: AliasName.default('production') })
  .meta({ id: 'RollbackRequest', description: 'Moves the alias back to where it pointed before.' });

export const HistoryEntry = z
  .object({
    id: z.string(),
    object: z.literal('prompt.change'),
    created_at: Timestamp,
    actor: z.string().describe('Id of the key, or of the job, that made the change.'),
    action: z.enum(['publish', 'move_alias', 'rollback', 'delete_alias', 'delete_version']),
    version: Version.nullable(),
    alias: AliasName.nullable(),
    from: AliasTarget.nullable(),
    to: AliasTarget.nullable(),
  })
  .meta({ id: 'HistoryEntry' });
export type HistoryEntry = z.infer<typeof HistoryEntry>;

export const ImportQuery = z.object({
  name: Name.optional().describe("The archive's own name unless given."),
  activate: AliasName.optional().describe('Alias that moves to the imported version.'),
  task: Task.optional().describe('Of an adapter of PEFT that does not say it.'),
  labels: z
    .string()
    .min(1)
    .max(LIMITS.labelsText)
    .optional()
    .describe(
      'Of an adapter of PEFT, which does not hold them: separated by commas, in the order of their indices. Without it, the id2label of polyprompt.json or config.json beside the adapter.',
    ),
});

export const ExportQuery = z.object({
  format: z
    .enum(['polyprompt', 'peft'])
    .default('polyprompt')
    .describe(
      'polyprompt: prompt.safetensors and card.json. peft: an adapter folder of Hugging Face PEFT, with what it has no place for beside it.',
    ),
  base_model: z
    .string()
    .min(1)
    .max(LIMITS.baseModel)
    .optional()
    .describe('How Python finds the model of an adapter; the id of the backbone unless given.'),
});

export const PromptList = listOf('PromptList', PromptObject);
export const PromptVersionList = listOf('PromptVersionList', PromptVersion);
export const HistoryList = listOf('HistoryList', HistoryEntry);
export const PromptDeleted = deletedOf('PromptDeleted', 'prompt');
export const VersionDeleted = deletedOf('VersionDeleted', 'prompt.version');
export const AliasDeleted = deletedOf('AliasDeleted', 'prompt.alias');
export const PromptListQuery = pageQuery(LIMITS.promptsPage);
