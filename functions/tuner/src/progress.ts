/** A run's events in the words of the job's event log. Messages hold no text of the user's data. */
import type { FileCheck, TuningEvent } from '@polyprompt/tuning';
import type { JobEvent } from './event-mirror.ts';

type EventOf<Type extends TuningEvent['type']> = Extract<TuningEvent, { readonly type: Type }>;

export function message(text: string, level: JobEvent['level'] = 'info'): JobEvent {
  return { level, message: text, type: 'message' };
}

export function startedMessage({ step, totalSteps }: EventOf<'started'>): JobEvent {
  return message(
    step === 0
      ? `Training started: at most ${totalSteps} steps.`
      : `Training continues after step ${step} of ${totalSteps}.`,
  );
}

export function checkMessage(check: FileCheck, name: string): JobEvent {
  const { examples, errors, warnings, valid } = check;
  const text = `${name}: ${examples} usable examples, ${errors} errors, ${warnings} warnings.`;
  return message(text, valid ? 'info' : 'error');
}

export function stepMetrics(event: EventOf<'step'>): JobEvent {
  const { step, totalSteps, loss } = event;
  return {
    level: 'info',
    message: `Step ${step}/${totalSteps}: training loss=${shortened(loss)}`,
    type: 'metrics',
    data: {
      step,
      total_steps: totalSteps,
      epoch: event.epoch,
      train_loss: loss,
      learning_rate: event.learningRate,
      gradient_norm: event.gradientNorm,
      tokens_per_second: event.tokensPerSecond,
      eta_seconds: event.etaSeconds,
    },
  };
}

/** @param last the step before the evaluation, undefined where it was another process's */
export function evaluationMetrics(
  event: EventOf<'evaluated'>,
  last: EventOf<'step'> | undefined,
): JobEvent {
  const { step, loss, metric, metricName, best } = event;
  const scores = `validation loss=${shortened(loss)}, ${metricName}=${shortened(metric)}`;
  return {
    level: 'info',
    message: `Step ${step}: ${scores}${best ? ' (best so far)' : ''}`,
    type: 'metrics',
    data: {
      step,
      ...(last ? { total_steps: last.totalSteps, train_loss: last.loss } : {}),
      valid_loss: loss,
      metric: metricName,
      metric_value: metric,
      best,
    },
  };
}

function shortened(value: number): string {
  return value.toPrecision(4);
}
