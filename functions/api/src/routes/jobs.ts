/** Tuning jobs, in OpenAI's shapes, and their events as a stream. */
import { createHash } from 'node:crypto';
import {
  ApiError,
  type Checkpoint,
  type FineTuningJob,
  formatPromptId,
  hyperparametersOf,
  type JobEvent,
  LIMITS,
  PromptSettings,
} from '@polyprompt/contract';
import type { Job, JobCheckpoint, NumberedEvent as StoredEvent } from '@polyprompt/registry';
import { TaskError, taskOf } from '@polyprompt/tasks';
import type { Handlers } from '../call.ts';
import { checkJobFiles, type JobFilesDeps } from '../check/job-files.ts';
import { checkSettings, parentOf } from '../check/job-settings.ts';
import type { AppDeps } from '../deps.ts';
import { eventStream } from '../http/event-stream.ts';
import { listOf, numberAtEnd, seconds, secondsOrNull } from '../wire.ts';

type Ids =
  | 'createJob'
  | 'listJobs'
  | 'retrieveJob'
  | 'cancelJob'
  | 'pauseJob'
  | 'resumeJob'
  | 'listJobEvents'
  | 'listJobCheckpoints';

const DEFAULT_TASK = 'text-classification';
/** As recipes have it: without a seed of the caller's, repeating a job gives the same version. */
const DEFAULT_SEED = 1;
const AUTOMATIC = {
  n_epochs: 'auto',
  batch_size: 'auto',
  learning_rate_multiplier: 'auto',
} as const;

export function jobHandlers(
  { registry, backbone, closing }: Pick<AppDeps, 'registry' | 'backbone' | 'closing'>,
  checking: Omit<JobFilesDeps, 'files'>,
): Handlers<Ids> {
  const { jobs } = registry;
  return {
    async createJob({ caller, json, header, signal }) {
      const create = await json();
      if (create.model !== backbone.id) {
        const message = `no backbone "${create.model}"; this service has ${backbone.id}`;
        throw ApiError.notFound('backbone.not_found', message, 'model');
      }
      const settings = create.prompt ?? { task: DEFAULT_TASK };
      checkTask(settings.task);
      const request = {
        bodyHash: hashOf(create),
        idempotencyKey: idempotencyKey(header('Idempotency-Key')),
      };
      // What was created once is the answer, whatever has become of its files meanwhile.
      const made = await jobs.made(caller.tenant, request);
      if (made?.sent) return jobObject(made);
      const hyperparameters = hyperparametersOf(create);
      const seed = create.seed ?? DEFAULT_SEED;
      const parent = await parentOf(registry, caller, settings, backbone);
      checkSettings({ seed, hyperparameters, settings }, backbone, parent);
      const { training_file, validation_file } = create;
      const { task, offset_unit, invalid_tags } = settings;
      await checkJobFiles(
        { files: registry.files, ...checking },
        {
          tenant: caller.tenant,
          task,
          reading: { ...(offset_unit && { offset_unit }), ...(invalid_tags && { invalid_tags }) },
          training_file,
          validation_file,
        },
        signal,
      );
      const job = await jobs.create(
        caller.tenant,
        {
          backbone: backbone.id,
          trainingFile: training_file,
          validationFile: validation_file ?? null,
          prompt: create.suffix ?? undefined,
          seed,
          activate: settings.activate ?? null,
          metadata: create.metadata ?? {},
          hyperparameters,
          settings: parent ? { ...settings, from: parent.id } : settings,
        },
        request,
      );
      return jobObject(job);
    },
    async listJobs({ caller, query }) {
      return listOf(await jobs.list(caller.tenant, query), jobObject);
    },
    async retrieveJob({ caller, params }) {
      return jobObject(await jobs.get(caller.tenant, params.job_id));
    },
    async cancelJob({ caller, params }) {
      return jobObject(await jobs.cancel(caller.tenant, params.job_id));
    },
    async pauseJob({ caller, params }) {
      return jobObject(await jobs.pause(caller.tenant, params.job_id));
    },
    async resumeJob({ caller, params }) {
      return jobObject(await jobs.resume(caller.tenant, params.job_id));
    },
    async listJobEvents({ caller, params, query, header, signal }) {
      const id = params.job_id;
      if (!header('accept')?.includes('text/event-stream')) {
        const page = { limit: query.limit, after: numberAtEnd(query.after) };
        return listOf(await jobs.events(caller.tenant, id, page), eventObject(id));
      }
      // Before the stream begins, while an unknown job can still be told.
      await jobs.get(caller.tenant, id);
      const left = new AbortController();
      const ends = AbortSignal.any([left.signal, signal, ...(closing ? [closing] : [])]);
      const after = numberAtEnd(header('Last-Event-ID') ?? query.after, 'Last-Event-ID');
      const events = jobs.follow(caller.tenant, id, { after, signal: ends });
      return eventStream(streamed(events, eventObject(id)), () => left.abort());
    },
    async listJobCheckpoints({ caller, params, query }) {
      const job = await jobs.get(caller.tenant, params.job_id);
      const page = { limit: query.limit, after: numberAtEnd(query.after) };
      return listOf(await jobs.checkpoints(caller.tenant, job.id, page), checkpointObject(job));
    },
  };
}

/** @throws ApiError `invalid_value` for a task that this release cannot train */
function checkTask(task: PromptSettings['task']): void {
  try {
    taskOf(task);
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    throw ApiError.unprocessable('invalid_value', `prompt.task: ${error.message}`, 'prompt.task');
  }
}

function idempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const limit = LIMITS.idempotencyKeyLength;
  if (/^[\x20-\x7e]+$/.test(header) && header.length <= limit) return header;
  const message = `Idempotency-Key: expected 1 to ${limit} ASCII characters, received ${header.length}`;
  throw ApiError.unprocessable('invalid_value', message, 'Idempotency-Key');
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function jobObject(job: Job): FineTuningJob {
  const { id, tenant, result, error } = job;
  const hyperparameters = { ...AUTOMATIC, ...job.hyperparameters };
  return {
    id,
    object: 'fine_tuning.job',
    model: job.backbone,
    created_at: seconds(job.created),
    finished_at: secondsOrNull(job.finished),
    fine_tuned_model: result && versionId(job, result.version),
    organization_id: tenant,
    status: job.status,
    training_file: job.trainingFile,
    validation_file: job.validationFile,
    result_files: resultFiles(job),
    hyperparameters,
    trained_tokens: job.trainedTokens,
    seed: job.seed,
    error,
    estimated_finish: secondsOrNull(job.estimatedFinish),
    integrations: [],
    metadata: job.metadata,
    method: { type: 'supervised', supervised: { hyperparameters } },
    prompt: PromptSettings.parse(job.settings),
  };
}

/** Ids of the files that the tuner wrote; `progress` is its own free-form record. */
function resultFiles({ progress }: Job): string[] {
  const ids = progress?.resultFiles;
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
}

function versionId({ backbone, tenant, prompt }: Job, version: number): string {
  return formatPromptId({ backbone, tenant, name: prompt, version });
}

/** Ids of things inside a job begin like the job's own. */
function idInside(kind: string, jobId: string, number: number): string {
  return `${kind}-${jobId.slice(jobId.indexOf('-') + 1)}-${number}`;
}

function eventObject(jobId: string) {
  return ({ sequence, created, level, message, type, data }: StoredEvent): JobEvent => ({
    id: idInside('ftevent', jobId, sequence),
    object: 'fine_tuning.job.event',
    created_at: seconds(created),
    level,
    message,
    type,
    ...(data && { data }),
  });
}

async function* streamed(
  events: AsyncIterable<StoredEvent>,
  map: (event: StoredEvent) => JobEvent,
) {
  for await (const event of events) {
    const data = map(event);
    yield { id: data.id, data };
  }
}

function checkpointObject(job: Job) {
  return ({ step, created, metrics }: JobCheckpoint): Checkpoint => ({
    id: idInside('ftckpt', job.id, step),
    object: 'fine_tuning.job.checkpoint',
    created_at: seconds(created),
    fine_tuning_job_id: job.id,
    fine_tuned_model_checkpoint: `${job.prompt}:ckpt-step-${step}`,
    step_number: step,
    metrics: { step, ...metrics },
  });
}
