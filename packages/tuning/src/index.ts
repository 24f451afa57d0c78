/** @module The training loop and everything around it. See README.md. */
export {
  type AnswerLimits,
  answerInputs,
  DEFAULT_BATCH_TOKENS,
  type Outcome,
  type PromptInUse,
  tokenLimit,
} from './answers.ts';
export { tokenBudgetOn } from './batches.ts';
export { parseCandidateLists, parseCandidates } from './candidates.ts';
export type { Evaluated } from './checkpoint.ts';
export type { TuningErrorCode } from './errors.ts';
export type { FileCheck } from './file-check.ts';
export { type TuneOptions, tuneInWorker } from './in-worker.ts';
export { CHECKPOINT_FILE, type JobRequest, type JobResult, runJob, runJobs } from './job.ts';
export * from './job-settings.ts';
export type { TuningEvent } from './loop.ts';
export { type ParentSource, readParent } from './parent.ts';
export { type JobHooks, settingsOfJob, type TuningJob } from './plan.ts';
export { TUNED_BACKBONE } from './publish.ts';
export { permutation, type Random, randomStream } from './random.ts';
export { SCHEDULES } from './schedule.ts';
export { METHODS, resolveSettings, TuningSettings } from './settings.ts';
