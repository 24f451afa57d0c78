/** How good the current parameters are on the dev set. */
import { Answering, type Metrics } from '@polyprompt/prompts';
import { withinBudget } from './batches.ts';
import type { PreparedData, ScoredRow } from './data.ts';
import { labelledItems, type TrainingModel, type TrainRow } from './model.ts';

export interface Score {
  /** Mean loss over the labelled items; no number for parameters that have grown beyond all, the rest says nothing then. */
  readonly loss: number;
  /** The task's selection metric. */
  readonly metric: number;
  readonly metrics: Metrics;
  /** Settings of the answers that were chosen by these examples, and that the metrics are with. */
  readonly answering: Answering | undefined;
}

/** The model with the parameters to be scored. */
export interface Scorer {
  readonly loss: TrainingModel['loss'];
  readonly evaluate: (rows: readonly TrainRow[]) => ReturnType<TrainingModel['evaluate']>;
}

/** Of logits that are no numbers there are no answers. */
const DIVERGED: Score = {
  loss: Number.NaN,
  metric: 0,
  metrics: { overall: {}, languages: {} },
  answering: undefined,
};

export async function score(
  model: Scorer,
  data: PreparedData,
  tokenBudget: number,
): Promise<Score> {
  const { task, dev, devExamples, labels } = data;
  // Sorted by length, so that little padding is computed; the answers go back to their examples.
  const sorted = [...dev].sort((a, b) => a.ids.length - b.ids.length);
  const pieces = devExamples.map((): { row: ScoredRow; logits: Float32Array }[] => []);
  let loss = 0;
  let items = 0;
  for (const rows of withinBudget(sorted, tokenBudget)) {
    const results = await model.evaluate(rows);
    rows.forEach((row, i) => {
      loss += results[i]!.loss;
      items += labelledItems(row, model.loss, labels.length);
      pieces[row.example]!.push({ row, logits: results[i]!.logits });
    });
  }
  if (!Number.isFinite(loss)) return DIVERGED;
  const evaluate = (options?: Answering) => {
    const answers = devExamples.map(({ input }, i) =>
      task.answer(
        input,
        pieces[i]!.map(({ row, logits }) => ({ ...row, logits })),
        labels,
        options,
      ),
    );
    return task.evaluate(devExamples, answers, labels);
  };
  const plain = evaluate();
  const answering = Answering.optional().parse(task.choose?.(plain));
  const evaluation = answering ? evaluate(answering) : plain;
  const languages = Object.fromEntries(
    Object.entries(evaluation.languages).map(([name, { metrics }]) => [name, { ...metrics }]),
  );
  return {
    loss: loss / Math.max(1, items),
    metric: evaluation.metrics[task.metric]!,
    metrics: { overall: { ...evaluation.metrics }, languages },
    answering,
  };
}
