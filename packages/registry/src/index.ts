/** What the service remembers, as typed operations over the object store. Knows no HTTP. */
export { Backbones } from './backbones/backbones.ts';
export type { FetchedBackbone, FetchOptions } from './backbones/fetch.ts';
export type { BackboneFile, BackboneManifest } from './backbones/manifest.ts';
export type { LocalBackbone, Pushed, PushOptions, TransferOptions } from './backbones/push.ts';
export { RegistryError, type RegistryErrorCode } from './errors.ts';
export type { Files, NewFile } from './files/files.ts';
export type { FileRecord } from './files/record.ts';
export {
  JOB_STATUSES,
  type Job,
  type JobCheckpoint,
  type JobFailure,
  JobMessage,
  type JobResult,
  type JobSpec,
  type JobStatus,
  type JsonObject,
  type NewJobEvent,
  type NumberedEvent,
  type Wanted,
} from './jobs/job.ts';
export type { Jobs } from './jobs/jobs.ts';
export type { JobRequest } from './jobs/requests.ts';
export { isFinished } from './jobs/transition.ts';
export type { JobChange, JobHandle, JobOutcome } from './jobs/worker.ts';
export { type ApiKey, type Keys, SCOPES, type Scope } from './keys.ts';
export type { Page, PageOptions } from './page.ts';
export type { ArchiveFiles } from './prompts/archive.ts';
export { DEFAULT_ALIAS } from './prompts/changes.ts';
export type { AliasTarget, HistoryEntry, VersionRecord } from './prompts/document.ts';
export type { Change, Prompts, PromptTarget, ResolvedPrompt } from './prompts/prompts.ts';
export type { PublishOptions } from './prompts/publish.ts';
export type { Alias, Prompt, PromptVersionInfo } from './prompts/views.ts';
export { createRegistry, type Registry, type RegistryOptions } from './registry.ts';
export type { SweepOptions, SweepReport } from './sweep.ts';
export type { Usage, UsageCounts, UsageQuery, UsageRow } from './usage.ts';
