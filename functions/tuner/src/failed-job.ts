/**
 * Ends jobs that their host has given up, so that their owners learn why: a function on Lambda that AWS Batch's
 * "FAILED" events come to. By then the message has long left the queue, and a worker that was killed says nothing.
 *
 * Delivery is at least once, and one job may have been given to Batch twice, so the job's lease decides: what another
 * worker holds is not failed, and what has ended stays as it is.
 */
import type { JobHandle, JobMessage } from '@polyprompt/registry';
import { z } from 'zod';
import { TunerError } from './errors.ts';
import { openServerless, type ServerlessDeps } from './serverless.ts';

/** The part of a Batch job state change that is used; `parameters` are those of the job definition. */
const BatchFailure = z.object({
  time: z.iso.datetime(),
  detail: z.object({
    parameters: z.object({ tenant: z.string().min(1), job: z.string().min(1) }),
    statusReason: z.string().optional(),
    container: z
      .object({ exitCode: z.int().optional(), reason: z.string().optional() })
      .default({}),
  }),
});
type BatchFailure = z.output<typeof BatchFailure>;

/**
 * `announced`: back on the queue; `left`: somebody else has it; `done`: it had ended before. The others are what
 * became of it.
 */
export type FailedJobEnding = 'failed' | 'cancelled' | 'paused' | 'announced' | 'left' | 'done';

/** A lease that is still held so long after the failure is that of another worker: a dead one's has run out. */
const LEASE_OVER_MS = 90_000;
/** The machine was taken away, every time: this says nothing about the job. */
const HOST_LOST = /^Host EC2/;
/** 128 + SIGKILL, which is also what the kernel does when memory runs out. */
const KILLED = 137;
const WORKER = 'batch';

/** @throws TunerError `bad_event`; `job_busy` when it should be called again in a minute */
export async function endFailedJob(event: unknown, deps: ServerlessDeps): Promise<FailedJobEnding> {
  const failure = parse(event);
  const { tenant, job: jobId } = failure.detail.parameters;
  const log = deps.log.child({ tenant, job: jobId });
  const taken = await deps.registry.jobs.take(tenant, jobId, WORKER);
  const ending =
    taken === 'busy'
      ? leave(failure, deps.now())
      : taken === 'done'
        ? 'done'
        : await end(taken, failure, deps).catch(async (error) => {
            // Or the next attempt would find it held by this one.
            await taken.release();
            throw error;
          });
  log.info({ ending, reason: failure.detail.statusReason }, 'job that its host gave up');
  return ending;
}

function parse(event: unknown): BatchFailure {
  const parsed = BatchFailure.safeParse(event);
  if (parsed.success) return parsed.data;
  throw new TunerError(
    'bad_event',
    `not a failed Batch job with the parameters tenant and job: ${z.prettifyError(parsed.error)}`,
  );
}

function leave({ time, detail }: BatchFailure, now: number): FailedJobEnding {
  if (now - Date.parse(time) > LEASE_OVER_MS) return 'left';
  throw new TunerError(
    'job_busy',
    `job "${detail.parameters.job}" is still held, perhaps by the worker that died; try again in a minute`,
  );
}

async function end(
  handle: JobHandle,
  { detail }: BatchFailure,
  { queue }: ServerlessDeps,
): Promise<FailedJobEnding> {
  const message: JobMessage = { tenant: handle.job.tenant, jobId: handle.job.id };
  switch (handle.wanted) {
    case 'cancel':
      await handle.finish({ status: 'cancelled' });
      return 'cancelled';
    case 'pause':
      await handle.finish({ status: 'paused' });
      return 'paused';
    case 'run':
      break;
    default:
      return handle.wanted satisfies never;
  }
  if (HOST_LOST.test(detail.statusReason ?? '')) {
    await handle.release();
    await queue.send(message);
    return 'announced';
  }
  const text = reasonOf(detail);
  await handle.event({ level: 'error', message: text });
  await handle.finish({
    status: 'failed',
    error: { code: 'worker_died', message: text, param: null },
  });
  return 'failed';
}

function reasonOf({ statusReason, container }: BatchFailure['detail']): string {
  const { exitCode, reason } = container;
  const parts = [
    statusReason,
    reason,
    exitCode === undefined ? undefined : `exit code ${exitCode}`,
  ];
  const said = parts.filter((part) => part !== undefined && part !== '').join('; ');
  const hint = exitCode === KILLED ? '; the data may need more memory than the machine has' : '';
  return `the machine gave up on this job: ${said || 'no reason given'}${hint}`;
}

let deps: ServerlessDeps | undefined;

export function handler(event: unknown): Promise<FailedJobEnding> {
  deps ??= openServerless(process.env);
  return endFailedJob(event, deps);
}
