/** Every setting of the tuner process, in one table: environment variables, which are text. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEVICE_CHOICES } from '@polyprompt/backbone';
import { z } from 'zod';
import { TunerError } from './errors.ts';

const ROOT = join(import.meta.dirname, '../../..');
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** A number, with the range that errors state. */
const number = (min: number, max: number) => ({
  schema: z.coerce.number().min(min).max(max),
  range: `a number from ${min} to ${max}`,
});
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
const url = text(z.url({ protocol: /^https?$/ }), 'an http or https URL');

/** A setting without `value` is optional, unless it is `required`. */
const SETTINGS = {
  /** Bucket of all state. */
  bucket: { env: 'POLYPROMPT_BUCKET', ...text(z.string().min(1), 'a bucket name'), required: true },
  /** URL of the job queue. */
  queue: { env: 'POLYPROMPT_QUEUE', ...url, required: true },
  /** Object store and queue, speaking S3 and SQS; AWS without it. */
  endpoint: { env: 'POLYPROMPT_ENDPOINT', ...url },
  region: { env: 'AWS_REGION', ...text(z.string().min(1), 'a region name'), value: 'us-east-1' },
  /** Work on this job alone, then end; without it, on all that the queue brings. */
  job: {
    env: 'POLYPROMPT_JOB',
    ...text(z.string().regex(/^[^/]+\/[^/]+$/), '<tenant>/<job id>'),
  },
  /** End when the queue has brought nothing for so long; without it, wait for ever. */
  idleSeconds: { env: 'POLYPROMPT_IDLE_SECONDS', ...whole(0, 86_400) },
  /** A model folder, whose name is the id of its backbone. */
  backbone: { env: 'POLYPROMPT_BACKBONE', ...folder },
  /** A folder of model folders, each named by its id. */
  models: { env: 'POLYPROMPT_MODELS', ...folder, value: join(ROOT, 'models') },
  /** Private folder for the files of jobs at work. */
  workDir: { env: 'POLYPROMPT_WORK', ...folder, value: join(tmpdir(), 'polyprompt-tuner') },
  device: { env: 'POLYPROMPT_DEVICE', ...oneOf(DEVICE_CHOICES), value: 'auto' },
  /** Threads that compute; one per core unless given. */
  threads: { env: 'POLYPROMPT_THREADS', ...whole(1, 1024) },
  /** How long a tuner that falls silent keeps its job from others. */
  leaseSeconds: { env: 'POLYPROMPT_LEASE_SECONDS', ...whole(10, 3600), value: 30 },
  /** Tuners that may die over a job, without getting it ahead, before it is failed. */
  maxAttempts: { env: 'POLYPROMPT_MAX_ATTEMPTS', ...whole(1, 100), value: 3 },
  /** At least this long between two checkpoints. */
  checkpointSeconds: { env: 'POLYPROMPT_CHECKPOINT_SECONDS', ...number(0, 3600), value: 30 },
  /** Time from SIGTERM until the process is ended, checkpoint or not. */
  graceSeconds: { env: 'POLYPROMPT_GRACE_SECONDS', ...whole(1, 3600), value: 25 },
  logLevel: { env: 'POLYPROMPT_LOG_LEVEL', ...oneOf(LOG_LEVELS), value: 'info' },
} as const satisfies Record<string, Setting>;

interface Setting {
  readonly env: string;
  readonly schema: z.ZodType;
  /** What a value must be, in words. */
  readonly range: string;
  readonly value?: string | number;
  readonly required?: true;
}

type Settings = typeof SETTINGS;
export type TunerConfig = {
  readonly [Name in keyof Settings]:
    | z.output<Settings[Name]['schema']>
    | (Settings[Name] extends { readonly value: unknown } | { readonly required: true }
        ? never
        : undefined);
};

/**
 * Reads the settings; an empty variable counts as absent.
 * @throws TunerError `bad_config` naming every bad variable with its value and what it must be
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): TunerConfig {
  const problems: string[] = [];
  const values = Object.entries<Setting>(SETTINGS).map(([name, setting]) => {
    const given = env[setting.env];
    const refuse = (what: string) => {
      problems.push(`${setting.env} ${what}; it must be ${setting.range}`);
      return [name, undefined];
    };
    if (given === undefined || given === '') {
      return setting.required ? refuse('is not set') : [name, setting.value];
    }
    const result = setting.schema.safeParse(given);
    return result.success ? [name, result.data] : refuse(`is ${JSON.stringify(given)}`);
  });
  if (problems.length > 0) throw new TunerError('bad_config', problems.join('\n'));
  return Object.fromEntries(values) as TunerConfig;
}
