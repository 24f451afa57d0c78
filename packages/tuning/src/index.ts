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
export {
  type Candidate,
  type CandidateLists,
  candidateName,
  candidatesOf,
  MAX_CANDIDATES,
  parseCandidateLists,
  parseCandidates,
} from './candidates.ts';
export type { Evaluated } from './checkpoint.ts';
export { TuningError, type TuningErrorCode } from './errors.ts';
export type { FileCheck } from './file-check.ts';
export { type TuneOptions, tuneInWorker } from './in-worker.ts';
export { CHECKPOINT_FILE, type JobRequest, type JobResult, runJob, runJobs } from './job.ts';
export { type AskedSettings, resolveJobSettings, traitsOf } from './job-settings.ts';
export type { TuningEvent } from './loop.ts';
export { type ParentSource, readParent } from './parent.ts';
export { type JobHooks, settingsOfJob, type TuningJob } from './plan.ts';
export { TUNED_BACKBONE } from './publish.ts';
export { permutation, type Random, randomStream } from './random.ts';
export { RECIPES, recipesFor } from './recipes.ts';
export { SCHEDULES } from './schedule.ts';
export {
  type BackboneTraits,
  METHODS,
  resolveSettings,
  type TuningInput,
  TuningSettings,
} from './settings.ts';
