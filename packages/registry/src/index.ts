/** What the service remembers, as typed operations over the object store. Knows no HTTP. */
export { RegistryError, type RegistryErrorCode } from './errors.ts';
export type { FileRecord, Files, NewFile } from './files.ts';
export {
  type Job,
  type JobCheckpoint,
  type JobEvent,
  type JobFailure,
  JobMessage,
  type JobResult,
  type JobSpec,
  type JobStatus,
  type JsonObject,
  type NewJobEvent,
  type Wanted,
} from './jobs/job.ts';
export type { Jobs } from './jobs/jobs.ts';
export { isFinished } from './jobs/transition.ts';
export type { JobHandle, JobOutcome } from './jobs/worker.ts';
export { type ApiKey, type Keys, SCOPES, type Scope } from './keys.ts';
export type { Page, PageOptions } from './page.ts';
export type { AliasTarget, HistoryEntry, VersionRecord } from './prompts/document.ts';
export type {
  Alias,
  ArchiveFiles,
  Change,
  Prompt,
  Prompts,
  PromptTarget,
  PromptVersionInfo,
  ResolvedPrompt,
} from './prompts/prompts.ts';
export { createRegistry, type Registry, type RegistryOptions } from './registry.ts';
export type { Usage, UsageCounts, UsageRow } from './usage.ts';
