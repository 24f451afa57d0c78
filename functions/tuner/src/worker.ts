/**
 * The loop: receives messages, takes their jobs, works on one at a time. A message is hidden from others while
 * its job is worked on; the job's lease, not the queue, decides who works. Delivery is at least once and
 * duplicates are normal, so a message says no more than "look at this job".
 */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobHandle, JobMessage } from '@polyprompt/registry';
import type { Queue, QueueMessage } from '@polyprompt/storage';
import { type Ending, type WorkDeps, workOnJob } from './work-on-job.ts';

export interface TunerDeps extends WorkDeps {
  readonly queue: Pick<Queue<JobMessage>, 'receive' | 'send'>;
  /** Who takes the jobs, for people. @default host name and process id */
  readonly workerId?: string | undefined;
  /** How long a message stays hidden when its worker falls silent. @default 60 s */
  readonly visibilitySeconds?: number | undefined;
  /** Before another look at a job that someone else works on. @default 60 s */
  readonly busySeconds?: number | undefined;
}

const VISIBILITY_SECONDS = 60;
const BUSY_SECONDS = 60;
/** Before the next try when the store or the queue does not answer. */
const PAUSE_MS = 5000;
/** A message that was received this often is replaced rather than put back. */
const REPLACE_AFTER = 3;

/** Works on what the queue brings until `signal` aborts; what it has then is given back with a checkpoint. */
export async function runTuner(deps: TunerDeps): Promise<void> {
  const { queue, signal, log, visibilitySeconds = VISIBILITY_SECONDS } = deps;
  while (!signal.aborted) {
    try {
      const [message] = await queue.receive({ visibilitySeconds, signal });
      if (message) await handle(message, visibilitySeconds, deps);
    } catch (error) {
      log.error({ err: error }, 'the queue, or a job it brought, could not be handled');
      await pause(PAUSE_MS, signal);
    }
  }
}

/**
 * Works on one job whatever the queue says; waits while another worker has it. A job that must be let go
 * unfinished is announced on the queue.
 */
export async function runJobOnce(message: JobMessage, deps: TunerDeps): Promise<Ending> {
  const { queue, signal, busySeconds = BUSY_SECONDS } = deps;
  while (!signal.aborted) {
    const taken = await take(message, deps);
    if (taken === 'done') return 'ended';
    if (taken === 'busy') {
      await pause(busySeconds * 1000, signal);
      continue;
    }
    const ending = await workOnJob(taken, deps);
    if (ending === 'given_back') await queue.send(message);
    return ending;
  }
  return 'lost';
}

async function handle(
  message: QueueMessage<JobMessage>,
  visibilitySeconds: number,
  deps: TunerDeps,
): Promise<void> {
  const stopKeeping = message.keep(visibilitySeconds);
  try {
    const taken = await take(message.body, deps);
    if (taken === 'done') return await message.remove();
    if (taken === 'busy') return await putBack(message, deps, deps.busySeconds ?? BUSY_SECONDS);
    const ending = await workOnJob(taken, deps);
    if (ending === 'ended') await message.remove();
    if (ending === 'given_back')
      await putBack(message, deps, deps.signal.aborted ? 0 : PAUSE_MS / 1000);
    // Lost: whoever has the job now lives by this message or another one.
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

/**
 * Makes the message come again after `seconds`. Only crashes shall make it a dead letter, so one that was
 * received often for other reasons is replaced by a fresh one.
 */
async function putBack(
  message: QueueMessage<JobMessage>,
  { queue }: TunerDeps,
  seconds: number,
): Promise<void> {
  if (message.receives >= REPLACE_AFTER) {
    await queue.send(message.body, { delaySeconds: seconds });
    await message.remove();
    return;
  }
  try {
    await message.extend(seconds);
  } catch (error) {
    // Visible to others already.
    if ((error as { code?: unknown }).code !== 'message_lost') throw error;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => undefined);
}
