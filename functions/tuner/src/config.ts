/** Every setting of the tuner process, from its environment. A bad one is refused at start. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEVICE_CHOICES } from '@polyprompt/backbone';
import { z } from 'zod';
import { TunerError } from './errors.ts';

const PROJECT_MODELS = fileURLToPath(new URL('../../../models', import.meta.url));
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const text = z.string().min(1);
const seconds = (min: number, max: number) => z.coerce.number().min(min).max(max);
const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const Environment = z.object({
  POLYPROMPT_BUCKET: text.describe('Bucket of all state.'),
  POLYPROMPT_QUEUE: z.url().describe('URL of the job queue.'),
  POLYPROMPT_ENDPOINT: z
    .url()
    .optional()
    .describe('Base URL of the object store and the queue; leave out for AWS.'),
  AWS_REGION: text.default('us-east-1'),
  POLYPROMPT_JOB: z
    .string()
    .regex(/^[^/]+\/[^/]+$/, 'must be "<tenant>/<job id>"')
    .optional()
    .describe('Work on this job alone, then end; without it, on all that the queue brings.'),
  POLYPROMPT_BACKBONE: text
    .optional()
    .describe('A model folder whose name is the id of its backbone.'),
  POLYPROMPT_MODELS: text
    .default(PROJECT_MODELS)
    .describe('A folder of model folders, named by id.'),
  POLYPROMPT_WORK: text
    .default(join(tmpdir(), 'polyprompt-tuner'))
    .describe('Private folder for the files of running jobs.'),
  POLYPROMPT_DEVICE: z.enum(DEVICE_CHOICES as ['auto', 'cpu', 'cuda']).default('auto'),
  POLYPROMPT_THREADS: whole(1, 1024)
    .optional()
    .describe('Threads that compute; without it, one per core.'),
  POLYPROMPT_CHECKPOINT_SECONDS: seconds(0, 3600)
    .default(30)
    .describe('At least this long between two checkpoints.'),
  POLYPROMPT_GRACE_SECONDS: seconds(1, 3600)
    .default(25)
    .describe('Time from SIGTERM to the end of the process.'),
  POLYPROMPT_LOG_LEVEL: z.enum(LEVELS).default('info'),
});

export interface TunerConfig {
  readonly bucket: string;
  readonly queueUrl: string;
  readonly endpoint: string | undefined;
  readonly region: string;
  /** The one job to work on. */
  readonly job: { readonly tenant: string; readonly jobId: string } | undefined;
  readonly backbone: string | undefined;
  readonly models: string;
  readonly workDir: string;
  readonly device: 'auto' | 'cpu' | 'cuda';
  readonly threads: number | undefined;
  readonly checkpointSeconds: number;
  readonly graceSeconds: number;
  readonly logLevel: (typeof LEVELS)[number];
}

/**
 * An empty variable counts as absent.
 * @throws TunerError `bad_config` naming each bad variable with its value and what it must be
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): TunerConfig {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path, message }) => {
      const name = String(path[0]);
      const value = given[name] === undefined ? 'is not set' : `is ${JSON.stringify(given[name])}`;
      return `${name} ${value}: ${message}`;
    });
    throw new TunerError('bad_config', lines.join('\n'));
  }
  const values = parsed.data;
  const [tenant, jobId] = values.POLYPROMPT_JOB?.split('/') ?? [];
  return {
    bucket: values.POLYPROMPT_BUCKET,
    queueUrl: values.POLYPROMPT_QUEUE,
    endpoint: values.POLYPROMPT_ENDPOINT,
    region: values.AWS_REGION,
    job: tenant && jobId ? { tenant, jobId } : undefined,
    backbone: values.POLYPROMPT_BACKBONE,
    models: values.POLYPROMPT_MODELS,
    workDir: values.POLYPROMPT_WORK,
    device: values.POLYPROMPT_DEVICE,
    threads: values.POLYPROMPT_THREADS,
    checkpointSeconds: values.POLYPROMPT_CHECKPOINT_SECONDS,
    graceSeconds: values.POLYPROMPT_GRACE_SECONDS,
    logLevel: values.POLYPROMPT_LOG_LEVEL,
  };
}
