/** A run's events in the words of the job's event log. Messages hold no text of the user's data. */
import type { JobCheckpoint, NewJobEvent } from '@polyprompt/registry';
import type { FileCheck, TuningEvent } from '@polyprompt/tuning';

export type EventOf<Type extends TuningEvent['type']> = Extract<
  TuningEvent,
  { readonly type: Type }
>;

export function message(text: string, level: NewJobEvent['level'] = 'info'): NewJobEvent {
  return { level, message: text, type: 'message' };
}

export function startedMessage({ step, totalSteps }: EventOf<'started'>): NewJobEvent {
  return message(
    step === 0
      ? `Training started: at most ${totalSteps} steps.`
      : `Training continues after step ${step} of ${totalSteps}.`,
  );
}

export function checkMessage(check: FileCheck, name: string): NewJobEvent {
  const { examples, errors, warnings, valid } = check;
  const text = `${name}: ${examples} usable examples, ${errors} errors, ${warnings} warnings.`;
  return message(text, valid ? 'info' : 'error');
}

export function stepMetrics(event: EventOf<'step'>): NewJobEvent {
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

/** An evaluation as OpenAI's clients know it, with the task's own metric beside. */
export function evaluationOf(
  event: EventOf<'evaluated'>,
  trainLoss: number | undefined,
): Omit<JobCheckpoint, 'created'> {
  const { step, loss, metric, metricName } = event;
  return {
    step,
    metrics: {
      ...(trainLoss === undefined ? {} : { train_loss: trainLoss }),
      valid_loss: loss,
      full_valid_loss: loss,
      [metricName]: metric,
      // Of a classification the answer is the one token.
      ...(metricName === 'accuracy' ? { full_valid_mean_token_accuracy: metric } : {}),
    },
  };
}

export function evaluationMessage(
  event: EventOf<'evaluated'>,
  { step, metrics }: Omit<JobCheckpoint, 'created'>,
): NewJobEvent {
  const { loss, metric, metricName, best } = event;
  const scores = `validation loss=${shortened(loss)}, ${metricName}=${shortened(metric)}`;
  return {
    level: 'info',
    message: `Step ${step}: ${scores}${best ? ' (best so far)' : ''}`,
    type: 'metrics',
    data: { step, ...metrics, best },
  };
}

function shortened(value: number): string {
  return String(Number(value.toPrecision(4)));
}
