// The route table: the one place that says which routes exist, who may call them, what goes in, what
// comes out and what can go wrong. Keys are operation ids.

import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { AliasName, Name, VersionParam } from './names.ts';
import type { Route } from './route.ts';
import * as files from './schemas/files.ts';
import * as inference from './schemas/inference.ts';
import * as jobs from './schemas/jobs.ts';
import * as keys from './schemas/keys.ts';
import * as models from './schemas/models.ts';
import * as prompts from './schemas/prompts.ts';
import * as system from './schemas/system.ts';
import * as usage from './schemas/usage.ts';

const ModelParams = z.object({
  model: z
    .string()
    .min(1)
    .max(LIMITS.referenceLength)
    .describe(
      'A prompt reference: name (its production alias), name@alias, name@7, tenant/name@alias, or ft:<backbone>:<tenant>:<name>:<version>.',
    ),
});
const FileParams = z.object({ file_id: files.FileId });
const JobParams = z.object({ job_id: jobs.JobId });
const PromptParams = z.object({ name: Name });
const VersionParams = PromptParams.extend({ version: VersionParam });
const AliasParams = PromptParams.extend({ alias: AliasName });
const json = <T extends z.ZodType>(schema: T) => ({
  json: schema,
  maxBytes: LIMITS.jsonBodyBytes,
});

const inferenceRoutes = {
  infer: {
    method: 'POST',
    path: '/models/{model}',
    tag: 'Inference',
    summary: 'Run a prompt on texts',
    description:
      'The body follows the task of the prompt. The version is fixed when the request is admitted: all its texts are answered by one version.',
    scope: 'infer',
    family: 'huggingface',
    params: ModelParams,
    headers: ['x-split-key'],
    body: { json: inference.InferenceRequest, maxBytes: LIMITS.inferenceBodyBytes },
    response: {
      json: inference.InferenceResponse,
      headers: [
        'x-prompt-version',
        'x-offset-unit',
        'x-truncated',
        'x-compute-tokens',
        'x-compute-time',
        'x-queue-time',
      ],
    },
    errors: [
      'prompt.not_found',
      'alias.not_found',
      'version.not_found',
      'backbone.not_found',
      'invalid_reference',
      'task.mismatch',
      'text.too_long',
      'quota',
      'deadline',
    ],
  },
} as const satisfies Record<string, Route>;

const fileRoutes = {
  createFile: {
    method: 'POST',
    path: '/v1/files',
    tag: 'Files',
    summary: 'Upload a data file',
    description:
      'Streamed to the store. Where the host allows smaller bodies only, use /v1/files/presign.',
    scope: 'tune',
    family: 'openai',
    body: { form: files.FileCreateForm, maxBytes: LIMITS.uploadBytes },
    response: { json: files.FileObject },
    errors: ['quota'],
  },
  listFiles: {
    method: 'GET',
    path: '/v1/files',
    tag: 'Files',
    summary: 'List files',
    scope: 'tune',
    family: 'openai',
    query: files.FileListQuery,
    response: { json: files.FileList },
  },
  presignFile: {
    method: 'POST',
    path: '/v1/files/presign',
    tag: 'Files',
    summary: 'Get a URL to upload a file to directly',
    scope: 'tune',
    family: 'openai',
    body: json(files.PresignRequest),
    response: { json: files.PresignedUpload },
    errors: ['quota'],
  },
  validateFile: {
    method: 'POST',
    path: '/v1/files/validate',
    tag: 'Files',
    summary: 'Check data for a task without training',
    description:
      'Either a file that is already here, as JSON, or the data itself, as a form; it is not kept.',
    scope: 'tune',
    family: 'openai',
    body: { json: files.ValidateRequest, form: files.ValidateForm, maxBytes: LIMITS.uploadBytes },
    response: { json: files.ValidationReport },
    errors: ['file.not_found'],
  },
  retrieveFile: {
    method: 'GET',
    path: '/v1/files/{file_id}',
    tag: 'Files',
    summary: 'Get a file object',
    scope: 'tune',
    family: 'openai',
    params: FileParams,
    response: { json: files.FileObject },
    errors: ['file.not_found'],
  },
  deleteFile: {
    method: 'DELETE',
    path: '/v1/files/{file_id}',
    tag: 'Files',
    summary: 'Delete a file',
    scope: 'tune',
    family: 'openai',
    params: FileParams,
    response: { json: files.FileDeleted },
    errors: ['file.not_found', 'file.in_use'],
  },
  downloadFile: {
    method: 'GET',
    path: '/v1/files/{file_id}/content',
    tag: 'Files',
    summary: 'Get the bytes of a file',
    scope: 'tune',
    family: 'openai',
    params: FileParams,
    response: { other: ['application/octet-stream'] },
    errors: ['file.not_found'],
  },
} as const satisfies Record<string, Route>;

const jobRoutes = {
  createJob: {
    method: 'POST',
    path: '/v1/fine_tuning/jobs',
    tag: 'Tuning jobs',
    summary: 'Train a version of a prompt',
    description:
      'Safe to repeat: with an Idempotency-Key, and for a short while also without one if the body is the same.',
    scope: 'tune',
    family: 'openai',
    headers: ['Idempotency-Key'],
    body: json(jobs.JobCreate),
    response: { json: jobs.FineTuningJob },
    errors: [
      'backbone.not_found',
      'file.not_found',
      'file.invalid',
      'idempotency.mismatch',
      'quota',
    ],
  },
  listJobs: {
    method: 'GET',
    path: '/v1/fine_tuning/jobs',
    tag: 'Tuning jobs',
    summary: 'List jobs, newest first',
    scope: 'tune',
    family: 'openai',
    query: jobs.JobListQuery,
    response: { json: jobs.JobList },
  },
  retrieveJob: {
    method: 'GET',
    path: '/v1/fine_tuning/jobs/{job_id}',
    tag: 'Tuning jobs',
    summary: 'Get a job',
    scope: 'tune',
    family: 'openai',
    params: JobParams,
    response: { json: jobs.FineTuningJob },
    errors: ['job.not_found'],
  },
  cancelJob: {
    method: 'POST',
    path: '/v1/fine_tuning/jobs/{job_id}/cancel',
    tag: 'Tuning jobs',
    summary: 'Cancel a job; the best version so far is kept',
    scope: 'tune',
    family: 'openai',
    params: JobParams,
    response: { json: jobs.FineTuningJob },
    errors: ['job.not_found', 'job.finished'],
  },
  pauseJob: {
    method: 'POST',
    path: '/v1/fine_tuning/jobs/{job_id}/pause',
    tag: 'Tuning jobs',
    summary: 'Pause a job at its next checkpoint',
    scope: 'tune',
    family: 'openai',
    params: JobParams,
    response: { json: jobs.FineTuningJob },
    errors: ['job.not_found', 'job.finished', 'job.state'],
  },
  resumeJob: {
    method: 'POST',
    path: '/v1/fine_tuning/jobs/{job_id}/resume',
    tag: 'Tuning jobs',
    summary: 'Resume a paused job',
    scope: 'tune',
    family: 'openai',
    params: JobParams,
    response: { json: jobs.FineTuningJob },
    errors: ['job.not_found', 'job.finished', 'job.state'],
  },
  listJobEvents: {
    method: 'GET',
    path: '/v1/fine_tuning/jobs/{job_id}/events',
    tag: 'Tuning jobs',
    summary: 'List or follow the events of a job',
    description:
      'With "Accept: text/event-stream", one message per event from the first on, until the job ends: its id is the event\'s, its data a JobEvent.',
    scope: 'tune',
    family: 'openai',
    params: JobParams,
    query: jobs.EventListQuery,
    headers: ['Last-Event-ID'],
    response: { json: jobs.JobEventList, other: ['text/event-stream'] },
    errors: ['job.not_found'],
  },
  listJobCheckpoints: {
    method: 'GET',
    path: '/v1/fine_tuning/jobs/{job_id}/checkpoints',
    tag: 'Tuning jobs',
    summary: 'List the checkpoints of a job',
    scope: 'tune',
    family: 'openai',
    params: JobParams,
    query: jobs.CheckpointListQuery,
    response: { json: jobs.CheckpointList },
    errors: ['job.not_found'],
  },
} as const satisfies Record<string, Route>;

const modelRoutes = {
  listModels: {
    method: 'GET',
    path: '/v1/models',
    tag: 'Models',
    summary: 'List backbones and prompt versions',
    scope: 'infer',
    family: 'openai',
    response: { json: models.ModelList },
  },
  retrieveModel: {
    method: 'GET',
    path: '/v1/models/{model}',
    tag: 'Models',
    summary: 'Get a backbone or a prompt version',
    scope: 'infer',
    family: 'openai',
    params: ModelParams,
    response: { json: models.Model },
    errors: ['prompt.not_found', 'alias.not_found', 'version.not_found', 'invalid_reference'],
  },
  deleteModel: {
    method: 'DELETE',
    path: '/v1/models/{model}',
    tag: 'Models',
    summary: 'Delete a prompt version',
    scope: 'tune',
    family: 'openai',
    params: ModelParams,
    response: { json: models.ModelDeleted },
    errors: [
      'prompt.not_found',
      'alias.not_found',
      'version.not_found',
      'invalid_reference',
      'prompt.in_use',
    ],
  },
} as const satisfies Record<string, Route>;

const promptRoutes = {
  listPrompts: {
    method: 'GET',
    path: '/v1/prompts',
    tag: 'Prompts',
    summary: 'List prompts',
    scope: 'infer',
    family: 'openai',
    query: prompts.PromptListQuery,
    response: { json: prompts.PromptList },
  },
  importPrompt: {
    method: 'POST',
    path: '/v1/prompts/import',
    tag: 'Prompts',
    summary: 'Import an exported version as the next version of a prompt',
    scope: 'tune',
    family: 'openai',
    query: prompts.ImportQuery,
    body: { binary: 'application/x-tar', maxBytes: LIMITS.importBytes },
    response: { json: prompts.PromptVersion },
    errors: ['archive.invalid', 'backbone.not_found', 'quota'],
  },
  retrievePrompt: {
    method: 'GET',
    path: '/v1/prompts/{name}',
    tag: 'Prompts',
    summary: 'Get a prompt with its aliases',
    scope: 'infer',
    family: 'openai',
    params: PromptParams,
    response: { json: prompts.PromptObject, headers: ['ETag'] },
    errors: ['prompt.not_found'],
  },
  deletePrompt: {
    method: 'DELETE',
    path: '/v1/prompts/{name}',
    tag: 'Prompts',
    summary: 'Delete a prompt and all its versions; it must have no alias',
    scope: 'tune',
    family: 'openai',
    params: PromptParams,
    response: { json: prompts.PromptDeleted },
    errors: ['prompt.not_found', 'prompt.in_use'],
  },
  listVersions: {
    method: 'GET',
    path: '/v1/prompts/{name}/versions',
    tag: 'Prompts',
    summary: 'List versions, newest first',
    scope: 'infer',
    family: 'openai',
    params: PromptParams,
    query: prompts.PromptListQuery,
    response: { json: prompts.PromptVersionList },
    errors: ['prompt.not_found'],
  },
  retrieveVersion: {
    method: 'GET',
    path: '/v1/prompts/{name}/versions/{version}',
    tag: 'Prompts',
    summary: 'Get a version',
    scope: 'infer',
    family: 'openai',
    params: VersionParams,
    response: { json: prompts.PromptVersion },
    errors: ['prompt.not_found', 'version.not_found'],
  },
  deleteVersion: {
    method: 'DELETE',
    path: '/v1/prompts/{name}/versions/{version}',
    tag: 'Prompts',
    summary: 'Delete a version that no alias points to',
    scope: 'tune',
    family: 'openai',
    params: VersionParams,
    response: { json: prompts.VersionDeleted },
    errors: ['prompt.not_found', 'version.not_found', 'prompt.in_use'],
  },
  retrieveCard: {
    method: 'GET',
    path: '/v1/prompts/{name}/versions/{version}/card',
    tag: 'Prompts',
    summary: 'Get the card of a version',
    scope: 'infer',
    family: 'openai',
    params: VersionParams,
    response: { json: prompts.CardObject },
    errors: ['prompt.not_found', 'version.not_found'],
  },
  exportVersion: {
    method: 'GET',
    path: '/v1/prompts/{name}/versions/{version}/export',
    tag: 'Prompts',
    summary: 'Get a version as one archive: prompt.safetensors and card.json',
    scope: 'tune',
    family: 'openai',
    params: VersionParams,
    response: { other: ['application/x-tar'] },
    errors: ['prompt.not_found', 'version.not_found'],
  },
  setAlias: {
    method: 'PUT',
    path: '/v1/prompts/{name}/aliases/{alias}',
    tag: 'Prompts',
    summary: 'Point an alias to a version, or split its traffic',
    description:
      'The hot swap: in effect at once here, and within a second in every other process.',
    scope: 'tune',
    family: 'openai',
    params: AliasParams,
    headers: ['If-Match'],
    body: json(prompts.AliasTarget),
    response: { json: prompts.Alias, headers: ['ETag'] },
    errors: ['prompt.not_found', 'version.not_found', 'alias.conflict'],
  },
  deleteAlias: {
    method: 'DELETE',
    path: '/v1/prompts/{name}/aliases/{alias}',
    tag: 'Prompts',
    summary: 'Delete an alias',
    scope: 'tune',
    family: 'openai',
    params: AliasParams,
    headers: ['If-Match'],
    response: { json: prompts.AliasDeleted },
    errors: ['prompt.not_found', 'alias.not_found', 'alias.conflict'],
  },
  rollbackPrompt: {
    method: 'POST',
    path: '/v1/prompts/{name}/rollback',
    tag: 'Prompts',
    summary: 'Move an alias back to where it pointed before',
    scope: 'tune',
    family: 'openai',
    params: PromptParams,
    headers: ['If-Match'],
    body: { ...json(prompts.RollbackRequest), optional: true },
    response: { json: prompts.Alias, headers: ['ETag'] },
    errors: ['prompt.not_found', 'alias.not_found', 'version.not_found', 'alias.conflict'],
  },
  listHistory: {
    method: 'GET',
    path: '/v1/prompts/{name}/history',
    tag: 'Prompts',
    summary: 'List who changed what, newest first',
    scope: 'infer',
    family: 'openai',
    params: PromptParams,
    query: prompts.PromptListQuery,
    response: { json: prompts.HistoryList },
    errors: ['prompt.not_found'],
  },
} as const satisfies Record<string, Route>;

const adminRoutes = {
  createKey: {
    method: 'POST',
    path: '/v1/keys',
    tag: 'Keys',
    summary: 'Create a key; its secret is shown this once',
    scope: 'admin',
    family: 'openai',
    body: json(keys.KeyCreate),
    response: { json: keys.KeyCreated },
  },
  listKeys: {
    method: 'GET',
    path: '/v1/keys',
    tag: 'Keys',
    summary: 'List keys, without their secrets',
    scope: 'admin',
    family: 'openai',
    query: keys.KeyListQuery,
    response: { json: keys.KeyList },
  },
  revokeKey: {
    method: 'DELETE',
    path: '/v1/keys/{key_id}',
    tag: 'Keys',
    summary: 'Revoke a key',
    scope: 'admin',
    family: 'openai',
    params: z.object({ key_id: keys.KeyId }),
    response: { json: keys.KeyRevoked },
    errors: ['key.not_found'],
  },
  listUsage: {
    method: 'GET',
    path: '/v1/usage',
    tag: 'Usage',
    summary: 'List usage per prompt and day',
    scope: 'admin',
    family: 'openai',
    query: usage.UsageQuery,
    response: { json: usage.UsageList },
  },
} as const satisfies Record<string, Route>;

const systemRoutes = {
  health: {
    method: 'GET',
    path: '/health',
    tag: 'System',
    summary: 'Is the process alive?',
    scope: 'public',
    family: 'openai',
    response: { json: system.Health },
  },
  ready: {
    method: 'GET',
    path: '/ready',
    tag: 'System',
    summary: 'Is the backbone loaded and warm?',
    scope: 'public',
    family: 'openai',
    response: { json: system.Ready },
    errors: ['not_ready'],
  },
  metrics: {
    method: 'GET',
    path: '/metrics',
    tag: 'System',
    summary: 'Metrics for Prometheus; no names of tenants or prompts',
    scope: 'public',
    family: 'openai',
    response: { other: ['text/plain'] },
  },
  openapi: {
    method: 'GET',
    path: '/openapi.json',
    tag: 'System',
    summary: 'This document',
    scope: 'public',
    family: 'openai',
    response: { other: ['application/json'] },
  },
  docs: {
    method: 'GET',
    path: '/docs',
    tag: 'System',
    summary: 'This document, to read',
    scope: 'public',
    family: 'openai',
    response: { other: ['text/html'] },
  },
} as const satisfies Record<string, Route>;

export const routes = {
  ...inferenceRoutes,
  ...fileRoutes,
  ...jobRoutes,
  ...modelRoutes,
  ...promptRoutes,
  ...adminRoutes,
  ...systemRoutes,
};

export type OperationId = keyof typeof routes;

/** All routes by operation id, without the exact type of each. */
export function eachRoute(): readonly (readonly [OperationId, Route])[] {
  return Object.entries(routes) as unknown as readonly (readonly [OperationId, Route])[];
}
