// Tuning jobs.

import { z } from 'zod';
import type { Route } from '../route.ts';
import * as jobs from '../schemas/jobs.ts';
import { json } from './shared.ts';

const JobParams = z.object({ job_id: jobs.JobId });

export const jobRoutes = {
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
