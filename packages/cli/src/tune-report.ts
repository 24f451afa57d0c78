/** What a tuning run has come to. */
import type { Backbone } from '@polyprompt/backbone';
import type { PromptCard } from '@polyprompt/prompts';
import { candidateName, type JobResult } from '@polyprompt/tuning';
import { commandLine, count, duration, percent, plural } from './format.ts';
import { viewOf } from './tasks/index.ts';

export interface ReportOptions {
  readonly out: string;
  /** As it was given; undefined for the default, which prediction finds by itself. */
  readonly backbone?: string;
}

interface TunedShare {
  readonly prompt: number;
  readonly head: number;
  readonly backbone: number;
}

function tunedShare({ card, settings }: JobResult, backbone: Backbone): TunedShare {
  const all = (backbone.spec.hidden + 1) * card.labels.length;
  const prompt = settings.method === 'full' ? backbone.parameters : card.parameters - all;
  // A verbalizer's head is the backbone's own.
  const head = settings.verbalizer ? 0 : all;
  return { prompt, head, backbone: backbone.parameters };
}

/** The result for programs. */
export function reportJson(result: JobResult, backbone: Backbone, { out }: ReportOptions): string {
  const { card, best, steps, seconds, tokens, warnings } = result;
  const tuned = tunedShare(result, backbone);
  return JSON.stringify(
    {
      out,
      prompt: card.prompt,
      best: { ...best, metric_name: card.training.metric },
      metrics: card.metrics,
      ...(card.answering && { answering: { null_threshold: card.answering.nullThreshold } }),
      steps,
      seconds,
      tokens,
      tuned: {
        ...tuned,
        share: tuned.prompt / tuned.backbone,
        share_with_head: (tuned.prompt + tuned.head) / tuned.backbone,
      },
      settings: result.settings,
      ...(card.candidates ? { candidates: card.candidates } : {}),
      ...(card.lineage.parent ? { parent: card.lineage.parent } : {}),
      warnings,
    },
    null,
    2,
  );
}

/** The result for people, with the command line that uses it. */
export function reportText(result: JobResult, backbone: Backbone, options: ReportOptions): string {
  const { best, card, steps, seconds, tokens, settings } = result;
  const { prompt, head, backbone: all } = tunedShare(result, backbone);
  const { out } = options;
  const own = settings.method === 'full' || options.backbone === undefined;
  const predict = ['predict', '--prompt', out, ...(own ? [] : ['--backbone', options.backbone!])];
  return [
    ...candidateLines(card),
    `best dev ${card.training.metric} ${best.metric.toFixed(4)} at step ${best.step}; ` +
      `${plural(steps, 'step')} in ${duration(seconds)} (${count(tokens / seconds)} tokens/s)`,
    `tuned ${count(prompt)} values, ${percent(prompt / all)} of the backbone; with the head ` +
      `${count(prompt + head)}, ${percent((prompt + head) / all)}`,
    ...thresholdLines(result),
    `prompt in ${out}`,
    `try: ${commandLine(predict)} ${viewOf(settings.task).usage(result.sample)}`,
  ].join('\n');
}

function thresholdLines({ card: { answering } }: JobResult): string[] {
  if (!answering) return [];
  const threshold = answering.nullThreshold.toFixed(3);
  return [`threshold of "no answer", chosen on dev: ${threshold} (predict --handle-impossible)`];
}

/** Every candidate with its best score, the published one marked. */
export function candidateLines({ candidates }: Pick<PromptCard, 'candidates'>): string[] {
  return (candidates ?? []).map(({ settings, best, diverged, published }) => {
    const score = diverged || !best ? 'diverged' : best.metric.toFixed(4);
    return `${published ? '*' : ' '} ${candidateName(settings)}  ${score}`;
  });
}
