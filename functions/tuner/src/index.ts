/** The worker that trains: takes jobs from the queue, publishes prompt versions. */
export { type BackboneResolver, type LocalBackbones, localBackbones } from './backbones.ts';
export { readConfig, type TunerConfig } from './config.ts';
export { TunerError, type TunerErrorCode } from './errors.ts';
export type { Ending } from './work-on-job.ts';
export { runJobOnce, runTuner, type TunerDeps } from './worker.ts';
