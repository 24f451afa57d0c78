// Tuning jobs in OpenAI's shapes. `model` is the backbone, `suffix` the prompt's name; what OpenAI has
// no field for rides in one extra object, `prompt`, that its clients pass through.

import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { AliasName, Name } from '../names.ts';
import { idOf, listOf, Metadata, pageQuery, Task, Timestamp } from './common.ts';
import { FileId, reading } from './files.ts';

export const JobId = idOf('ftjob').meta({ id: 'JobId' });

const auto = <T extends z.ZodType>(number: T) => z.union([z.literal('auto'), number]);

const Epochs = z.int().min(1).max(LIMITS.epochs);
const BatchSize = z.int().min(1).max(LIMITS.batchSize);
const Length = z.int().min(1).max(LIMITS.promptLength);
const LearningRate = z.number().positive().max(1);
const Dropout = z.number().min(0).lt(1);
const Reparameterisation = z.int().min(1).max(LIMITS.reparameterisation);
const Seed = z.int().nonnegative().max(LIMITS.seed);

export const Hyperparameters = z
  .object({
    n_epochs: auto(Epochs).optional(),
    batch_size: auto(BatchSize).optional(),
    learning_rate_multiplier: auto(z.number().positive())
      .optional()
      .describe("A factor on the recipe's learning rate."),
  })
  .meta({ id: 'Hyperparameters' });
export type Hyperparameters = z.infer<typeof Hyperparameters>;

const listOfValues = <T extends z.ZodType>(value: T) =>
  z.array(value).min(1).max(LIMITS.candidates).optional();

/** Values to try. Those that have no type of their own here are judged with all other settings. */
export const CandidateLists = z
  .strictObject({
    learning_rate: listOfValues(LearningRate),
    lr: listOfValues(LearningRate).describe('Short for learning_rate.'),
    seed: listOfValues(Seed),
    length: listOfValues(Length),
    n_epochs: listOfValues(Epochs),
    epochs: listOfValues(Epochs).describe('Short for n_epochs.'),
    batch_size: listOfValues(BatchSize),
    schedule: listOfValues(z.string()),
    warmup: listOfValues(z.number()),
    weight_decay: listOfValues(z.number()),
    clip: listOfValues(z.number()),
    dropout: listOfValues(Dropout).describe('On prompt and, unless it has a list, head.'),
    head_dropout: listOfValues(Dropout),
    init_std: listOfValues(z.number()),
    reparameterise: listOfValues(Reparameterisation),
  })
  .meta({
    id: 'CandidateLists',
    description: `Lists of values by setting. Every combination, ${LIMITS.candidates} at most, is trained side by side in the one job; the best on the validation data is published.`,
  });
export type CandidateLists = z.infer<typeof CandidateLists>;

const Method = z.object({
  type: z.literal('supervised'),
  supervised: z.object({ hyperparameters: Hyperparameters.optional() }).optional(),
});

/** Native settings; unknown ones are refused, so that a misspelt setting is not silently ignored. */
export const PromptSettings = z
  .strictObject({
    task: Task,
    method: z
      .enum(['prefix', 'soft', 'head'])
      .optional()
      .describe(
        'prefix: keys and values in every layer; soft: vectors before the input; head: none.',
      ),
    length: Length.optional().describe('Virtual tokens.'),
    from: z
      .string()
      .min(1)
      .max(LIMITS.referenceLength)
      .optional()
      .describe('Version to continue from, of the same task: name, name@alias, name@7 or its id.'),
    reparameterise: Reparameterisation.optional().describe(
      'Width of a network that computes the prompt while it is trained.',
    ),
    recipe: z
      .string()
      .min(1)
      .max(LIMITS.nameLength)
      .optional()
      .describe(
        'A named set of defaults; one that there is not is refused with those of the task.',
      ),
    learning_rate: LearningRate.optional(),
    dropout: Dropout.optional().describe('On prompt and head.'),
    pooling: z
      .enum(['first', 'mean', 'last', 'pooler'])
      .optional()
      .describe('Which state the head of a classification reads.'),
    languages: z
      .array(z.string().min(1))
      .min(1)
      .max(LIMITS.languages)
      .optional()
      .describe('Train only on examples of these languages.'),
    early_stopping: z
      .int()
      .nonnegative()
      .optional()
      .describe('Evaluations without improvement until training ends; 0 never stops early.'),
    ...reading,
    candidates: CandidateLists.optional(),
    activate: AliasName.optional().describe('Alias that moves to the new version.'),
  })
  .meta({ id: 'PromptSettings' });
export type PromptSettings = z.infer<typeof PromptSettings>;

export const JobCreate = z
  .object({
    model: Name.describe('Id of the backbone.'),
    training_file: FileId,
    validation_file: FileId.nullish(),
    suffix: Name.nullish().describe('Name of the prompt; made up from the job id unless given.'),
    seed: Seed.nullish(),
    metadata: Metadata.nullish(),
    method: Method.optional(),
    hyperparameters: Hyperparameters.optional().meta({
      deprecated: true,
      description: 'The older place of method.supervised.hyperparameters, which wins.',
    }),
    integrations: z
      .array(z.unknown())
      .max(0, 'they are not supported; leave it out')
      .nullish()
      .describe('Not supported.'),
    prompt: PromptSettings.optional(),
  })
  .meta({ id: 'JobCreate' });
export type JobCreate = z.output<typeof JobCreate>;

/** The hyper-parameters of a request, from either of their two places. */
export function hyperparametersOf(create: JobCreate): Hyperparameters {
  return { ...create.hyperparameters, ...create.method?.supervised?.hyperparameters };
}

export const JOB_STATUSES = [
  'validating_files',
  'queued',
  'running',
  'paused',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export const JobStatus = z.enum(JOB_STATUSES).meta({ id: 'JobStatus' });
export type JobStatus = z.infer<typeof JobStatus>;

export const FineTuningJob = z
  .object({
    id: JobId,
    object: z.literal('fine_tuning.job'),
    model: z.string(),
    created_at: Timestamp,
    finished_at: Timestamp.nullable(),
    fine_tuned_model: z
      .string()
      .nullable()
      .describe('ft:<backbone>:<tenant>:<name>:<version>; what goes into the inference URL.'),
    organization_id: z.string().describe('The tenant.'),
    status: JobStatus,
    training_file: z.string(),
    validation_file: z.string().nullable(),
    result_files: z.array(z.string()),
    hyperparameters: Hyperparameters,
    trained_tokens: z.int().nonnegative().nullable(),
    seed: z.int(),
    error: z
      .object({ code: z.string(), message: z.string(), param: z.string().nullable() })
      .nullable(),
    estimated_finish: Timestamp.nullish(),
    integrations: z.array(z.never()).nullish(),
    metadata: Metadata.nullish(),
    method: Method.optional(),
    prompt: PromptSettings.optional(),
  })
  .meta({ id: 'FineTuningJob' });
export type FineTuningJob = z.infer<typeof FineTuningJob>;

const JsonValue = z.json().meta({ id: 'JsonValue', description: 'Any JSON.' });

export const JobEvent = z
  .object({
    id: z.string(),
    object: z.literal('fine_tuning.job.event'),
    created_at: Timestamp,
    level: z.enum(['info', 'warn', 'error']),
    message: z.string(),
    type: z.enum(['message', 'metrics']).optional(),
    data: z.record(z.string(), JsonValue).optional(),
  })
  .meta({ id: 'JobEvent' });
export type JobEvent = z.infer<typeof JobEvent>;

const Metric = z.number().optional();
export const Checkpoint = z
  .object({
    id: z.string(),
    object: z.literal('fine_tuning.job.checkpoint'),
    created_at: Timestamp,
    fine_tuning_job_id: JobId,
    fine_tuned_model_checkpoint: z.string(),
    step_number: z.int().nonnegative(),
    metrics: z.object({
      step: Metric,
      train_loss: Metric,
      train_mean_token_accuracy: Metric,
      valid_loss: Metric,
      valid_mean_token_accuracy: Metric,
      full_valid_loss: Metric,
      full_valid_mean_token_accuracy: Metric,
    }),
  })
  .meta({ id: 'Checkpoint' });
export type Checkpoint = z.infer<typeof Checkpoint>;

export const JobList = listOf('JobList', FineTuningJob);
export const JobEventList = listOf('JobEventList', JobEvent);
export const CheckpointList = listOf('CheckpointList', Checkpoint);

export const JobListQuery = pageQuery(LIMITS.jobsPage, JobId).extend({
  metadata: Metadata.optional().describe('Only jobs with these tags: metadata[key]=value.'),
});
export const EventListQuery = pageQuery(LIMITS.eventsPage);
export const CheckpointListQuery = pageQuery(LIMITS.checkpointsPage);
