/**
 * The loop: receives messages, takes their jobs, works on one at a time. A message is hidden from others while
 * its job is worked on; the job's lease, not the queue, decides who works. Delivery is at least once and
 * duplicates are normal, so a message says no more than "look at this job".
 */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobHandle, JobMessage } from '@polyprompt/registry';
import { type Queue, type QueueMessage, StorageError } from '@polyprompt/storage';
import { type Ending, type WorkDeps, workOnJob } from './work-on-job.ts';

export interface TunerDeps extends WorkDeps {
  readonly queue: Pick<Queue<JobMessage>, 'receive' | 'send'>;
  /** Who takes the jobs, for people. @default host name and process id */
  readonly workerId?: string | undefined;
  /** How long a message stays hidden when its worker falls silent. @default 60 s */
  readonly visibilitySeconds?: number | undefined;
  /** Ends when the queue has brought nothing for so long; never without it. */
  readonly idleSeconds?: number | undefined;
  /** Before another look at a job that someone else works on. @default 60 s */
  readonly busySeconds?: number | undefined;
  /** Milliseconds before the next try when the store or the queue does not answer. @default 5000 */
  readonly pauseMs?: number | undefined;
}

const VISIBILITY_SECONDS = 60;
/** The longest that a queue lets wait. */
const POLL_SECONDS = 20;
const BUSY_SECONDS = 60;
const PAUSE_MS = 5000;
/** A message that was received this often is replaced by a fresh one, before the queue takes it for a dead letter. */
const REPLACE_AFTER = 3;

/**
 * Works on what the queue brings until `signal` aborts, or nothing came for `idleSeconds`; what it has when it is
 * told to end is given back with a checkpoint.
 */
export async function runTuner(deps: TunerDeps): Promise<void> {
  const { queue, signal, log, visibilitySeconds = VISIBILITY_SECONDS, pauseMs = PAUSE_MS } = deps;
  const { idleSeconds } = deps;
  const patience =
    idleSeconds === undefined
      ? {}
      : { waitSeconds: Math.min(POLL_SECONDS, Math.max(1, idleSeconds)) };
  let busyUntil = performance.now();
  while (!signal.aborted) {
    try {
      const [message] = await queue.receive({ visibilitySeconds, signal, ...patience });
      if (message) {
        await handle(message, visibilitySeconds, deps);
        busyUntil = performance.now();
      } else if (idleSeconds !== undefined && performance.now() - busyUntil >= idleSeconds * 1000) {
        return;
      }
    } catch (error) {
      log.error({ err: error }, 'the queue, or a job it brought, could not be handled');
      await pause(pauseMs, signal);
    }
  }
}

/**
 * Works on one job whatever the queue says. A job that must be let go unfinished is announced on the queue. One
 * that another worker has is looked at once more, after the lease of a dead worker would have run out: a machine
 * that only waits for a living one would be paid for nothing.
 */
export async function runJobOnce(message: JobMessage, deps: TunerDeps): Promise<Ending> {
  const { queue, signal, busySeconds = BUSY_SECONDS } = deps;
  let taken = await take(message, deps);
  if (taken === 'busy') {
    await pause(busySeconds * 1000, signal);
    if (signal.aborted) return 'lost';
    taken = await take(message, deps);
  }
  if (taken === 'busy') return 'lost';
  if (taken === 'done') return 'ended';
  const ending = await workOnJob(taken, deps);
  if (ending === 'given_back') await queue.send(message);
  return ending;
}

/**
 * Only what cannot be handled at all becomes a dead letter: a message that is none, a job that cannot be read. All
 * else is counted by the job itself, which may be getting ahead however often its workers die.
 */
async function handle(
  message: QueueMessage<JobMessage>,
  visibilitySeconds: number,
  deps: TunerDeps,
): Promise<void> {
  const { queue, signal, busySeconds = BUSY_SECONDS, pauseMs = PAUSE_MS } = deps;
  const stopKeeping = message.keep(visibilitySeconds);
  const againSeconds = () => (signal.aborted ? 0 : Math.ceil(pauseMs / 1000));
  try {
    const taken = await take(message.body, deps);
    if (taken === 'done') return await message.remove();
    if (taken === 'busy') return await putBack(message, queue, busySeconds);
    // The stand-in outlives this process, and finds nothing to do if all goes well.
    const isReplaced = message.receives >= REPLACE_AFTER;
    if (isReplaced) {
      await replace(message, queue, visibilitySeconds).catch(async (error) => {
        await taken.release();
        throw error;
      });
    }
    const ending = await workOnJob(taken, deps);
    if (ending === 'ended' && !isReplaced) await message.remove();
    if (ending !== 'given_back') return; // Lost: whoever has the job now lives by this message or another one.
    if (isReplaced) await queue.send(message.body, { delaySeconds: againSeconds() });
    else await putBack(message, queue, againSeconds());
  } catch (error) {
    if (isUnavailable(error)) await putBack(message, queue, againSeconds()).catch(() => undefined);
    throw error;
  } finally {
    stopKeeping();
  }
}

async function take(
  { tenant, jobId }: JobMessage,
  { registry, log, workerId = `${hostname()}:${process.pid}` }: TunerDeps,
): Promise<JobHandle | 'busy' | 'done'> {
  try {
    return await registry.jobs.take(tenant, jobId, workerId);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'job_not_found') throw error;
    log.warn({ tenant, job: jobId }, 'message for a job that does not exist');
    return 'done';
  }
}

/** Makes the message come again after `seconds`. */
async function putBack(
  message: QueueMessage<JobMessage>,
  queue: TunerDeps['queue'],
  seconds: number,
): Promise<void> {
  if (message.receives >= REPLACE_AFTER) return replace(message, queue, seconds);
  try {
    await message.extend(seconds);
  } catch (error) {
    // Visible to others already.
    if ((error as { code?: unknown }).code !== 'message_lost') throw error;
  }
}

async function replace(
  message: QueueMessage<JobMessage>,
  queue: TunerDeps['queue'],
  delaySeconds: number,
): Promise<void> {
  await queue.send(message.body, { delaySeconds });
  await message.remove();
}

function isUnavailable(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'unavailable';
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => undefined);
}
