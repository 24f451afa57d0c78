/** @module The training loop and everything around it. See README.md. */
export type { Evaluated } from './checkpoint.ts';
export { TuningError, type TuningErrorCode } from './errors.ts';
export type { FileCheck } from './file-check.ts';
export { type TuneOptions, tuneInWorker } from './in-worker.ts';
export {
  CHECKPOINT_FILE,
  type JobHooks,
  type JobResult,
  runJob,
  TUNED_BACKBONE,
  type TuningJob,
} from './job.ts';
export type { TuningEvent } from './loop.ts';
export { RECIPES } from './recipes.ts';
export { SCHEDULES } from './schedule.ts';
export {
  type BackboneTraits,
  METHODS,
  resolveSettings,
  type TuningInput,
  TuningSettings,
} from './settings.ts';
