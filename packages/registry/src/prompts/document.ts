/**
 * A prompt as it is stored in prompt.json: which versions exist and where the aliases point, in one document, so
 * that one compare-and-set decides both: no alias can point to a version that is being deleted.
 */
import { z } from 'zod';

const Time = z.int().nonnegative();
const VersionNumber = z.int().positive();

/** Where an alias points: one version, or several with weights in percent. */
export const AliasTarget = z.union([
  z.strictObject({ version: VersionNumber }),
  z.strictObject({
    split: z
      .array(z.strictObject({ version: VersionNumber, weight: z.int().min(1).max(99) }))
      .min(2),
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
  /** null: all of them. */
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

export const AliasState = z.object({
  target: AliasTarget,
  updated: Time,
  /** Earlier targets, latest last; what a rollback goes back to. */
  past: z.array(AliasTarget),
});
export type AliasState = z.infer<typeof AliasState>;
