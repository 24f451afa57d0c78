/** The events of a job from its first to its end, however often the connection breaks. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FineTuningJob, JobEvent } from '@polyprompt/contract';
import type { TuningEvent } from '@polyprompt/tuning';
import { APIError } from 'openai';
import type { Stream } from 'openai/streaming';
import type { Progress } from '../progress.ts';
import type { Service } from './client.ts';

const ATTEMPTS = 8;
const LONGEST_WAIT_MS = 10_000;
const ENDED: readonly FineTuningJob['status'][] = ['succeeded', 'failed', 'cancelled'];

/** @param signal ends the iteration, without an error */
export async function* jobEvents(
  service: Service,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<JobEvent> {
  const openai = await service.openai;
  let last: string | undefined;
  for (let failures = 0; !signal.aborted; ) {
    try {
      const stream = await openai.get<Stream<JobEvent>>(
        `/fine_tuning/jobs/${encodeURIComponent(id)}/events`,
        {
          stream: true,
          signal,
          headers: {
            accept: 'text/event-stream',
            ...(last !== undefined && { 'last-event-id': last }),
          },
        },
      );
      for await (const event of stream) {
        last = event.id;
        failures = 0;
        yield event;
      }
      if (signal.aborted || hasEnded(await retrieveJob(service, id))) return;
    } catch (error) {
      if (signal.aborted) return;
      const refused = error instanceof APIError && error.status !== undefined && error.status < 500;
      if (refused || failures >= ATTEMPTS) throw error;
    }
    const waitMs = Math.min(LONGEST_WAIT_MS, 250 * 2 ** failures++);
    await sleep(waitMs, undefined, { signal }).catch(() => {});
  }
}

export function hasEnded({ status }: FineTuningJob): boolean {
  return ENDED.includes(status);
}

/** OpenAI's type of a job lacks what the service adds. */
export async function retrieveJob(service: Service, id: string): Promise<FineTuningJob> {
  const { fineTuning } = await service.openai;
  return (await fineTuning.jobs.retrieve(id)) as FineTuningJob;
}

/**
 * Draws events of the service: numbers as those of a run in this process where there is a bar, the rest in the
 * service's words. Of steps the service tells only some, so that words alone are what is true of each line.
 */
export function drawEvents(progress: Progress, hasBar: boolean): (event: JobEvent) => void {
  let started = false;
  return (event) => {
    const tuning = asTuningEvent(event);
    if (hasBar && tuning?.type === 'step' && !started) {
      started = true;
      progress.onEvent({ type: 'started', step: 0, totalSteps: tuning.totalSteps });
    }
    if (tuning && started) progress.onEvent(tuning);
    else if (tuning?.type !== 'step') progress.note(event.message);
  };
}

/** Numbers of an evaluation that OpenAI's clients know; the one beside them is the task's metric. */
const COMMON = /^(candidate|step|best|train_loss|valid_loss|full_valid_.*|.*mean_token_accuracy)$/;

function asTuningEvent({ type, data = {} }: JobEvent): TuningEvent | undefined {
  if (type !== 'metrics') return undefined;
  const number = (name: string) => (typeof data[name] === 'number' ? data[name] : Number.NaN);
  const step = number('step');
  const among = typeof data.candidate === 'string' ? { candidate: data.candidate } : {};
  if ('total_steps' in data) {
    return {
      type: 'step',
      step,
      totalSteps: number('total_steps'),
      epoch: number('epoch'),
      loss: number('train_loss'),
      learningRate: number('learning_rate'),
      gradientNorm: number('gradient_norm'),
      tokensPerSecond: number('tokens_per_second'),
      etaSeconds: number('eta_seconds'),
      ...among,
    };
  }
  const metricName = Object.keys(data).find((name) => !COMMON.test(name));
  if (metricName === undefined) return undefined;
  const [loss, metric] = [number('valid_loss'), number(metricName)];
  return { type: 'evaluated', step, loss, metric, metricName, best: data.best === true, ...among };
}
