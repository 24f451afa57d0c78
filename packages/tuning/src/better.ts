/** Which of two versions the dev set prefers. */
import type { Evaluated } from './checkpoint.ts';
import type { TuningSettings } from './settings.ts';

/** Better: by the metric, ties by the loss; or by the loss alone. */
export function isBetter(
  now: Evaluated,
  than: Evaluated,
  select: TuningSettings['select'],
): boolean {
  return select === 'metric' && now.metric !== than.metric
    ? now.metric > than.metric
    : now.loss < than.loss;
}
