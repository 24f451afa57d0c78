/** A tuning job as it is stored in job.json. Every change goes through compare-and-set on this document. */
import { z } from 'zod';

export const JOB_STATUSES = [
  'validating_files',
  'queued',
  'running',
  'paused',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export const JobStatus = z.enum(JOB_STATUSES);
export type JobStatus = z.infer<typeof JobStatus>;

export const Wanted = z.enum(['run', 'pause', 'cancel']);
/** What the user wants of the job; its worker follows. */
export type Wanted = z.infer<typeof Wanted>;

const Time = z.int().nonnegative();
const Count = z.int().nonnegative();
const JsonObject = z.record(z.string(), z.json());
export type JsonObject = z.infer<typeof JsonObject>;

/** What was asked for. `hyperparameters` and `settings` are kept as they are and mean nothing here. */
export const JobSpec = z.object({
  /** Id of the backbone. */
  backbone: z.string(),
  trainingFile: z.string(),
  validationFile: z.string().nullable(),
  seed: Count,
  /** Alias to move to the new version. */
  activate: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
  /** As given on the wire, defaults filled in by the worker. */
  hyperparameters: JsonObject,
  /** The native settings. */
  settings: JsonObject,
});
export type JobSpec = z.infer<typeof JobSpec>;

export const JobFailure = z.object({
  code: z.string(),
  message: z.string(),
  param: z.string().nullable(),
});
export type JobFailure = z.infer<typeof JobFailure>;

export const JobCheckpoint = z.object({
  step: Count,
  created: Time,
  metrics: z.record(z.string(), z.number()),
});
export type JobCheckpoint = z.infer<typeof JobCheckpoint>;

export const JobResult = z.object({ version: z.int().positive(), hash: z.string() });
export type JobResult = z.infer<typeof JobResult>;

export const Job = JobSpec.extend({
  id: z.string(),
  tenant: z.string(),
  /** Name of the prompt that gets the version. */
  prompt: z.string(),
  status: JobStatus,
  wanted: Wanted,
  created: Time,
  updated: Time,
  finished: Time.nullable(),
  trainedTokens: Count.nullable(),
  estimatedFinish: Time.nullable(),
  /** Whatever the worker tells about how far it is. */
  progress: JsonObject.nullable(),
  /** Evaluations, oldest first. */
  checkpoints: z.array(JobCheckpoint),
  /** The version published; a cancelled job may have one too. */
  result: JobResult.nullable(),
  error: JobFailure.nullable(),

  /** Of the lease under which the worker writes; later writes under a lower one are refused. */
  fence: Count,
  /** Who works on it, or did when it died. */
  worker: z.string().nullable(),
  /** Times it was taken since it last got ahead. */
  attempts: Count,
  /** The saved training state: the fence it was saved under. */
  saved: z.object({ fence: Count }).nullable(),
  /** When the queue was last told about it; null when it has still to be. */
  sent: Time.nullable(),
});
export type Job = z.infer<typeof Job>;

export const JobMessage = z.object({ tenant: z.string(), jobId: z.string() });
/** What travels on the queue. */
export type JobMessage = z.infer<typeof JobMessage>;

/** An event as a worker reports it. */
export const NewJobEvent = z.object({
  level: z.enum(['info', 'warn', 'error']),
  message: z.string(),
  type: z.enum(['message', 'metrics']).default('message'),
  data: JsonObject.optional(),
});
export type NewJobEvent = z.input<typeof NewJobEvent>;

export const JobEvent = NewJobEvent.extend({ created: Time });
export type JobEvent = z.output<typeof JobEvent>;

/** `sequence` counts from 1 per job. */
export type NumberedEvent = JobEvent & { readonly sequence: number };
