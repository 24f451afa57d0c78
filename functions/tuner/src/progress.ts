/** A run's events in the words of the job's event log. Messages hold no text of the user's data. */
import type { PromptCard } from '@polyprompt/prompts';
import type { JobCheckpoint, NewJobEvent } from '@polyprompt/registry';
import {
  type Candidate,
  candidateName,
  type FileCheck,
  type TuningEvent,
} from '@polyprompt/tuning';

export type EventOf<Type extends TuningEvent['type']> = Extract<
  TuningEvent,
  { readonly type: Type }
>;

export function message(text: string, level: NewJobEvent['level'] = 'info'): NewJobEvent {
  return { level, message: text, type: 'message' };
}

/** @param candidates none alone is a run without any */
export function startedMessage(
  { step, totalSteps }: EventOf<'started'>,
  candidates: readonly Candidate[],
): NewJobEvent {
  const beside = candidates.length > 0 ? `, ${candidates.length} candidates side by side` : '';
  const told = message(
    step === 0
      ? `Training started: at most ${totalSteps} steps${beside}.`
      : `Training continues after step ${step} of ${totalSteps}${beside}.`,
  );
  return beside ? { ...told, data: { candidates: candidates.map(candidateName) } } : told;
}

/** Which of the candidates was published, and what all of them came to. */
export function candidatesMessage({
  candidates = [],
  training: { metric, score },
}: Pick<PromptCard, 'candidates' | 'training'>): NewJobEvent {
  const all = candidates.map(({ settings, steps, best, diverged, published }) => ({
    candidate: candidateName(settings as Candidate),
    settings,
    steps,
    best: best && { step: best.step, valid_loss: best.loss, [metric]: best.metric },
    diverged,
    published,
  }));
  const { candidate } = all.find(({ published }) => published)!;
  const text = `The best of ${all.length} candidates is ${candidate}: ${metric}=${shortened(score)}.`;
  return { ...message(text), data: { candidates: all } };
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
    message: `Step ${step}/${totalSteps}${about(event)}: training loss=${shortened(loss)}`,
    type: 'metrics',
    data: {
      ...ofCandidate(event),
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
  const { loss, metric, metricName } = event;
  // Of candidates, the best of all.
  const best = event.leads ?? event.best;
  const scores = `validation loss=${shortened(loss)}, ${metricName}=${shortened(metric)}`;
  return {
    level: 'info',
    message: `Step ${step}${about(event)}: ${scores}${best ? ' (best so far)' : ''}`,
    type: 'metrics',
    data: { ...ofCandidate(event), step, ...metrics, best },
  };
}

function ofCandidate({ candidate }: { readonly candidate?: string }): Record<string, string> {
  return candidate === undefined ? {} : { candidate };
}

function about({ candidate }: { readonly candidate?: string }): string {
  return candidate === undefined ? '' : ` of ${candidate}`;
}

function shortened(value: number): string {
  return String(Number(value.toPrecision(4)));
}
