/**
 * A prompt as it is stored in prompt.json: which versions exist and where the aliases point, in one document, so
 * that one compare-and-set decides both: no alias can point to a version that is being removed. A prompt without
 * versions does not exist; its document stays, so that no version number is ever used for two things.
 */
import { z } from 'zod';

const Time = z.int().nonnegative();
const VersionNumber = z.int().positive();

/** Where an alias points: one version, or several with weights in percent, 100 together. */
export const AliasTarget = z.union([
  z.strictObject({ version: VersionNumber }),
  z.strictObject({
    split: z
      .array(z.strictObject({ version: VersionNumber, weight: z.int().min(1).max(99) }))
      .min(2)
      .refine((shares) => shares.reduce((sum, { weight }) => sum + weight, 0) === 100, {
        message: 'the weights must add up to 100',
      })
      .refine((shares) => new Set(shares.map(({ version }) => version)).size === shares.length, {
        message: 'each version may occur once',
      }),
  }),
]);
export type AliasTarget = z.infer<typeof AliasTarget>;

export const HistoryEntry = z.object({
  /** Counts the changes of the prompt. */
  sequence: z.int().positive(),
  created: Time,
  /** Id of the key or of the job that made the change. */
  actor: z.string(),
  action: z.enum(['publish', 'move_alias', 'rollback', 'delete_alias', 'delete_version']),
  /** The version published or deleted. */
  version: VersionNumber.nullable(),
  alias: z.string().nullable(),
  from: AliasTarget.nullable(),
  to: AliasTarget.nullable(),
});
export type HistoryEntry = z.infer<typeof HistoryEntry>;

export const VersionRecord = z.object({
  version: VersionNumber,
  created: Time,
  /** The job that made it; null if imported. */
  job: z.string().nullable(),
  /** `sha256:...` of prompt.safetensors. */
  hash: z.string(),
  /** Size of prompt.safetensors. */
  bytes: z.int().positive(),
  task: z.string(),
  /** Name of the backbone. */
  backbone: z.string(),
});
export type VersionRecord = z.infer<typeof VersionRecord>;

const AliasState = z.object({
  target: AliasTarget,
  updated: Time,
  /** Earlier targets, latest last: what a rollback goes back to. */
  past: z.array(AliasTarget),
});

export const PromptState = z.object({
  created: Time,
  updated: Time,
  /** The highest version number ever used. */
  latest: z.int().nonnegative(),
  /** Of the latest change. */
  sequence: z.int().nonnegative(),
  /** By number. */
  versions: z.record(z.string(), VersionRecord),
  aliases: z.record(z.string(), AliasState),
  /** The latest changes, oldest first; earlier ones are in chunks of their own (history.ts). */
  history: z.array(HistoryEntry),
  /** Versions that are gone but whose files may still be there. */
  trash: z.array(VersionNumber),
});
export type PromptState = z.infer<typeof PromptState>;

/** The versions that a target may lead to. */
export function versionsOf(target: AliasTarget): number[] {
  return 'version' in target ? [target.version] : target.split.map(({ version }) => version);
}

/** Aliases that point to a version, alone or in a split. */
export function aliasesOf(state: PromptState, version: number): string[] {
  return Object.keys(state.aliases)
    .filter((alias) => versionsOf(state.aliases[alias]!.target).includes(version))
    .sort();
}
