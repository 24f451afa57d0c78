/**
 * Every setting of the service, in one table: what `--help` prints, what is read from the environment
 * and what a bad value is refused with all come from here. Limits of the wire that no host changes are
 * in the contract (`LIMITS`).
 */
import { join } from 'node:path';
import { LIMITS } from '@polyprompt/contract';
import { SERVING_LIMITS } from '@polyprompt/serving';
import { z } from 'zod';
import { API_LIMITS } from './deps.ts';

const GIB = 1024 ** 3;
const ROOT = join(import.meta.dirname, '../../..');
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const DEVICES = ['auto', 'cpu', 'cuda'] as const;
const PRECISIONS = ['float32', 'float16', 'int8'] as const;

/** Environment variables are text: a number, with the range that help and errors state. */
const whole = (min: number, max: number) => ({
  schema: z.coerce.number().int().min(min).max(max),
  range: `a whole number from ${min} to ${max}`,
});
const text = (schema: z.ZodType<string>, range: string) => ({ schema, range });
const oneOf = <const T extends readonly string[]>(values: T) => ({
  schema: z.enum(values),
  range: `one of ${values.join(', ')}`,
});
const folder = text(z.string().min(1), 'a path');

/** In the order of `--help`. A setting without `value` is optional. */
const SETTINGS = {
  port: {
    env: 'POLYPROMPT_PORT',
    ...whole(0, 65_535),
    value: 8787,
    or: 'PORT',
    about: 'Port of the API; 0 takes a free one. Hosts may set PORT instead.',
  },
  host: {
    env: 'POLYPROMPT_HOST',
    ...text(z.string().min(1), 'a host name or address'),
    value: '127.0.0.1',
    about: 'Address that the API listens on; 0.0.0.0 for all.',
  },
  home: {
    env: 'POLYPROMPT_HOME',
    ...folder,
    value: '.polyprompt',
    about: 'Folder of everything that is kept.',
  },
  key: {
    env: 'POLYPROMPT_KEY',
    ...text(z.string().regex(/^[\x21-\x7e]{8,200}$/), '8 to 200 ASCII characters without spaces'),
    about: 'First admin key, of the tenant "default"; a random one is made and shown without it.',
    secret: true,
  },
  backbone: {
    env: 'POLYPROMPT_BACKBONE',
    ...text(z.string().min(1), 'a model folder, or a name'),
    value: 'polyprompt-mini',
    about:
      'The backbone, whose folder name is its id. A name is looked up in models/, in backbones/ under POLYPROMPT_HOME (polyprompt backbone pull) and in the object store (polyprompt backbone push).',
  },
  endpoint: {
    env: 'POLYPROMPT_ENDPOINT',
    ...text(z.url({ protocol: /^https?$/ }), 'an http or https URL'),
    about:
      'Object store and queue, speaking S3 and SQS. Without it: AWS if POLYPROMPT_BUCKET is set, else an embedded one under POLYPROMPT_HOME. Credentials come from where the AWS SDK looks (AWS_ACCESS_KEY_ID, profiles, roles).',
  },
  region: {
    env: 'AWS_REGION',
    ...text(z.string().regex(/^[a-z0-9-]+$/), 'a region name'),
    value: 'us-east-1',
    about: 'Region of the object store and the queue.',
  },
  bucket: {
    env: 'POLYPROMPT_BUCKET',
    ...text(z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/), 'a bucket name'),
    about: 'Bucket of all state; "polyprompt" unless given.',
  },
  queue: {
    env: 'POLYPROMPT_QUEUE',
    ...text(
      z.string().regex(/^(https?:\/\/.+|[A-Za-z0-9_-]{1,75})$/),
      'a queue name, or the URL of a queue',
    ),
    value: 'polyprompt-jobs',
    about: 'Job queue; one that is named is made where it is missing.',
  },
  defaultPrompt: {
    env: 'POLYPROMPT_DEFAULT_PROMPT',
    ...text(z.string().min(1).max(LIMITS.referenceLength), 'a prompt reference'),
    about: 'The prompt that answers /invocations, /predict and POST / where a request names none.',
  },
  tuner: {
    env: 'POLYPROMPT_TUNER',
    ...oneOf(['on', 'off']),
    value: 'on',
    about: 'Whether this process tree trains, too; off where tuners run elsewhere.',
  },
  device: {
    env: 'POLYPROMPT_DEVICE',
    ...oneOf(DEVICES),
    value: 'auto',
    about: 'What computes; auto takes CUDA where it is installed.',
  },
  precision: {
    env: 'POLYPROMPT_PRECISION',
    ...oneOf(PRECISIONS),
    about:
      'What the large matrices are multiplied in where prompts are served: float32 on a CPU, float16 on a GPU unless given. int8 is for CPUs: a quarter of the memory, at least twice the throughput, answers a little off.',
  },
  threads: {
    env: 'POLYPROMPT_THREADS',
    ...whole(1, 1024),
    about: 'Threads that compute; one per core unless given.',
  },
  deadlineMs: {
    env: 'POLYPROMPT_DEADLINE_MS',
    ...whole(100, 600_000),
    value: SERVING_LIMITS.deadlineMs,
    about: 'Time that an inference request has.',
  },
  leaseSeconds: {
    env: 'POLYPROMPT_LEASE_SECONDS',
    ...whole(10, 3600),
    value: 30,
    about: 'How long a tuner that falls silent keeps its job from others.',
  },
  maxAttempts: {
    env: 'POLYPROMPT_MAX_ATTEMPTS',
    ...whole(1, 100),
    value: 3,
    about: 'Tuners that may die over a job, without getting it ahead, before it is failed.',
  },
  checkpointSeconds: {
    env: 'POLYPROMPT_CHECKPOINT_SECONDS',
    schema: z.coerce.number().min(0).max(3600),
    range: 'a number from 0 to 3600',
    value: 30,
    about: 'At least this long between two checkpoints of a job.',
  },
  tenantJobs: {
    env: 'POLYPROMPT_TENANT_JOBS',
    ...whole(1, 1000),
    value: 100,
    about: 'Jobs of one tenant that have not ended; more are refused with 429.',
  },
  pendingInputs: {
    env: 'POLYPROMPT_PENDING_INPUTS',
    ...whole(LIMITS.inputs, 1_000_000),
    value: SERVING_LIMITS.pendingInputs,
    about: 'Texts that may be at work or waiting; more are refused with 429.',
  },
  tenantInputs: {
    env: 'POLYPROMPT_TENANT_INPUTS',
    ...whole(LIMITS.inputs, 1_000_000),
    value: SERVING_LIMITS.tenantInputs,
    about: 'The same for one tenant.',
  },
  cacheBytes: {
    env: 'POLYPROMPT_CACHE_BYTES',
    ...whole(1024 ** 2, 1024 * GIB),
    value: SERVING_LIMITS.cacheBytes,
    about: 'Memory for prompts; the least recently used go first.',
  },
  uploadBytes: {
    env: 'POLYPROMPT_UPLOAD_BYTES',
    ...whole(1024, LIMITS.uploadBytes),
    value: API_LIMITS.uploadBytes,
    about: 'Largest file that is uploaded through the API; larger ones go to a presigned URL.',
  },
  checkBytes: {
    env: 'POLYPROMPT_CHECK_BYTES',
    ...whole(1024, LIMITS.uploadBytes),
    value: API_LIMITS.checkBytes,
    about: 'Largest file that the API checks on request; jobs check files of any size.',
  },
  usageSeconds: {
    env: 'POLYPROMPT_USAGE_SECONDS',
    ...whole(1, 3600),
    value: 5,
    about:
      'Between two writes of usage counters: what a process that is killed (SIGKILL) can lose; one that is asked to end (SIGTERM) loses none.',
  },
  sweepMinutes: {
    env: 'POLYPROMPT_SWEEP_MINUTES',
    ...whole(0, 10_080),
    value: 60,
    about:
      'Between two sweeps, which remove expired files and interrupted uploads and wake forgotten jobs; 0 for none.',
  },
  logLevel: {
    env: 'POLYPROMPT_LOG_LEVEL',
    ...oneOf(LOG_LEVELS),
    value: 'info',
    about: 'Least severity that is logged.',
  },
  graceSeconds: {
    env: 'POLYPROMPT_GRACE_SECONDS',
    ...whole(1, 3600),
    value: 25,
    about: 'Time from SIGTERM until what is still at work is cut off.',
  },
} as const satisfies Record<string, Setting>;

interface Setting {
  readonly env: string;
  /** Name under which hosts set it; `env` wins. */
  readonly or?: string;
  readonly schema: z.ZodType;
  /** What a value must be, in words. */
  readonly range: string;
  readonly value?: string | number;
  readonly about: string;
  /** Never shown. */
  readonly secret?: true;
}

type Settings = typeof SETTINGS;
export type Config = {
  readonly [Name in keyof Settings]:
    | z.output<Settings[Name]['schema']>
    | (Settings[Name] extends { readonly value: unknown } ? never : undefined);
};

/** A setting that the service cannot start with. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'bad_config';
}

/**
 * Reads the settings; an empty variable counts as absent.
 * @throws ConfigError naming every bad variable with its value and what it must be
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const values = Object.entries<Setting>(SETTINGS).map(([name, setting]) => {
    const { env: own, or = own } = setting;
    const from = env[own] ? own : or;
    const given = env[from];
    if (given === undefined || given === '') return [name, setting.value];
    const result = setting.schema.safeParse(given);
    if (result.success) return [name, result.data];
    const shown = setting.secret ? `(${given.length} characters)` : JSON.stringify(given);
    problems.push(`${from} is ${shown}; it must be ${setting.range}`);
    return [name, undefined];
  });
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  return Object.fromEntries(values) as Config;
}

/** Where the folders of shipped backbones are. */
export const MODELS_FOLDER = join(ROOT, 'models');
/** Data files to try the service with. */
export const EXAMPLES_FOLDER = join(ROOT, 'examples/topics');
/** A prompt for the shipped backbone that a new service begins with. */
export const READY_PROMPT_FOLDER = join(EXAMPLES_FOLDER, 'prompt');
export const TUNER_ENTRY = join(ROOT, 'functions/tuner/src/main.ts');

/** What `--help` prints. */
export function helpText(command = 'npm start'): string {
  const blocks = Object.values<Setting>(SETTINGS).map(({ env, range, value, about }) =>
    [
      `  ${env}${value === undefined ? '' : ` (default ${value})`}`,
      ...wrap(`${about} Must be ${range}.`, 76).map((line) => `      ${line}`),
    ].join('\n'),
  );
  return `Usage: ${command}

Starts the service: API, tuner, object store and queue. Settings are environment variables:

${blocks.join('\n')}
`;
}

function wrap(words: string, width: number): string[] {
  return (
    words.match(new RegExp(`.{1,${width}}(?:\\s|$)`, 'g'))?.map((line) => line.trimEnd()) ?? []
  );
}
