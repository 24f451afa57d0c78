/**
 * The training loop, in full: batches, accumulation, clipping, AdamW, dev evaluation, best version,
 * early stopping, checkpoints. Everything random is a function of the seed and the step, so a run
 * that was killed and resumed computes what the unbroken one does.
 */
import { AdamW, clipScale, globalNorm } from '@polyprompt/autodiff';
import { epochBatches, withinBudget } from './batches.ts';
import {
  type Evaluated,
  type Identity,
  readCheckpoint,
  type TrainingState,
  writeCheckpoint,
} from './checkpoint.ts';
import { TuningError } from './errors.ts';
import type { FileCheck } from './file-check.ts';
import type { TrainableModel, TrainRow } from './model.ts';
import { randomStream } from './random.ts';
import { learningRateAt } from './schedule.ts';
import type { TuningSettings } from './settings.ts';

export type TuningEvent =
  | { readonly type: 'started'; readonly step: number; readonly totalSteps: number }
  | {
      readonly type: 'step';
      readonly step: number;
      readonly totalSteps: number;
      readonly epoch: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly gradientNorm: number;
      readonly tokensPerSecond: number;
      /** Seconds to the last step at the measured rate; early stopping may end sooner. */
      readonly etaSeconds: number;
    }
  | ({
      readonly type: 'evaluated';
      readonly best: boolean;
      readonly metricName: string;
    } & Evaluated)
  | { readonly type: 'checkpoint'; readonly step: number }
  | { readonly type: 'checked'; readonly files: readonly FileCheck[] };

export interface LoopOptions {
  readonly model: Pick<TrainableModel, 'parameters' | 'gradients'>;
  readonly settings: TuningSettings;
  readonly rows: readonly TrainRow[];
  /** Dev loss and metric of the model's current parameters. */
  readonly evaluate: () => Promise<{ readonly loss: number; readonly metric: number }>;
  readonly metricName: string;
  /** Train no more: the result is the best version that the checkpoint holds. */
  readonly finish?: boolean;
  readonly checkpoint?: {
    readonly path: string;
    readonly identity: Identity;
    /** At least this many seconds between two; 0 writes one after every step. */
    readonly everySeconds: number;
    /** Continue from the file where there is one. */
    readonly resume: boolean;
  };
  readonly onEvent?: (event: TuningEvent) => void;
  /** Asked before every step; true checkpoints and throws `interrupted`. */
  readonly shouldStop?: () => boolean;
  /** Seconds, monotonic. */
  readonly clock?: () => number;
}

export interface LoopResult {
  readonly best: Evaluated;
  readonly parameters: readonly Float32Array[];
  readonly history: readonly Evaluated[];
  readonly steps: number;
  readonly seconds: number;
  readonly tokens: number;
}

/**
 * Trains until the last epoch or early stopping and returns the best version by the dev set.
 * @throws TuningError `diverged` when the loss is no longer a number, `interrupted`, `no_version`
 */
export async function train(options: LoopOptions): Promise<LoopResult> {
  const { model, settings, rows, checkpoint, onEvent = () => {} } = options;
  const clock = options.clock ?? (() => performance.now() / 1000);
  const names = model.parameters.map(({ name }) => name);
  const parameters = model.parameters.map(({ data }) => data);
  const optimizer = new AdamW(parameters);
  const state: TrainingState = {
    parameters,
    moments: optimizer.state.moments,
    best: parameters.map((data) => data.slice()),
    progress: { step: 0, optimizerStep: 0, best: null, history: [], seconds: 0, tokens: 0 },
  };
  if (checkpoint?.resume) {
    readCheckpoint(checkpoint.path, names, state, checkpoint.identity);
    optimizer.state.step = state.progress.optimizerStep;
  }

  const lengths = rows.map(({ ids }) => ids.length);
  const stepsPerEpoch = Math.ceil(rows.length / settings.batchSize);
  const totalSteps = stepsPerEpoch * settings.epochs;
  const rate = { ...settings, stepsPerEpoch, totalSteps };
  const begun = { seconds: state.progress.seconds - clock(), step: state.progress.step };
  const meter = { seconds: clock(), tokens: state.progress.tokens };
  let saved = clock();
  const save = () => {
    if (!checkpoint) return;
    state.progress.seconds = begun.seconds + clock();
    state.progress.optimizerStep = optimizer.state.step;
    writeCheckpoint(checkpoint.path, names, state, checkpoint.identity);
    saved = clock();
    onEvent({ type: 'checkpoint', step: state.progress.step });
  };

  onEvent({ type: 'started', step: state.progress.step, totalSteps });
  let epoch = -1;
  let batches: number[][] = [];
  while (!options.finish && state.progress.step < totalSteps && !exhausted(state, settings)) {
    const { step } = state.progress;
    if (options.shouldStop?.()) {
      save();
      throw new TuningError('interrupted', `stopped after step ${step} of ${totalSteps}`);
    }
    if (epoch !== Math.floor(step / stepsPerEpoch)) {
      epoch = Math.floor(step / stepsPerEpoch);
      batches = epochBatches(lengths, settings.batchSize, settings.seed, epoch);
    }
    const batch = batches[step % stepsPerEpoch]!.map((i) => rows[i]!);
    const { loss, gradients } = await batchGradients(model, settings, batch, step);
    const gradientNorm = globalNorm(gradients);
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      throw new TuningError(
        'diverged',
        `training diverged at step ${step + 1} of ${totalSteps} (loss ${loss}); lower ` +
          `learningRate (${settings.learningRate})`,
      );
    }
    const learningRate = learningRateAt(step, rate);
    const scale = settings.clip > 0 ? clipScale(gradientNorm, settings.clip) : 1;
    optimizer.step(gradients, learningRate, settings.weightDecay, scale);

    state.progress.step = step + 1;
    state.progress.tokens += batch.reduce((sum, { ids }) => sum + ids.length, 0);
    const elapsed = clock() - meter.seconds;
    onEvent({
      type: 'step',
      step: step + 1,
      totalSteps,
      epoch,
      loss,
      learningRate,
      gradientNorm,
      tokensPerSecond: (state.progress.tokens - meter.tokens) / elapsed,
      etaSeconds: (elapsed / (step + 1 - begun.step)) * (totalSteps - step - 1),
    });
    if (state.progress.step % stepsPerEpoch === 0) {
      const evaluated = { step: state.progress.step, ...(await options.evaluate()) };
      const best = keepIfBest(state, settings, evaluated);
      onEvent({ type: 'evaluated', metricName: options.metricName, best, ...evaluated });
    }
    if (checkpoint && clock() - saved >= checkpoint.everySeconds) save();
  }
  const { best } = state.progress;
  if (!best) {
    throw new TuningError(
      'no_version',
      `after step ${state.progress.step} there is no version yet: the first one comes with the ` +
        `evaluation after step ${stepsPerEpoch}; train on`,
    );
  }
  if (!options.finish) save();
  return {
    best,
    parameters: state.best,
    history: state.progress.history,
    steps: state.progress.step,
    seconds: begun.seconds + clock(),
    tokens: state.progress.tokens,
  };
}

/** Gradients of the mean loss over the batch's labelled items, in affordable pieces. */
async function batchGradients(
  model: LoopOptions['model'],
  settings: TuningSettings,
  batch: readonly TrainRow[],
  step: number,
): Promise<{ loss: number; gradients: Float32Array[] }> {
  const random = randomStream(settings.seed, 'dropout', step);
  const labelled = batch.reduce((sum, { target }) => sum + labelledItems(target), 0);
  const weight = 1 / Math.max(1, labelled);
  let loss = 0;
  let total: Float32Array[] | null = null;
  for (const rows of withinBudget(batch, settings.tokenBudget)) {
    const piece = await model.gradients(rows, weight, random);
    loss += piece.loss;
    if (!total) total = piece.gradients as Float32Array[];
    else for (const [i, sum] of total.entries()) addInto(sum, piece.gradients[i]!);
  }
  return { loss, gradients: total! };
}

/** A target's mass: 1 per labelled text, token or span. */
function labelledItems(target: Float32Array): number {
  return target.reduce((sum, value) => sum + value, 0);
}

function addInto(sum: Float32Array, values: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + values[i]!;
}

/** Better: by the metric, ties by the loss; or by the loss alone. */
function keepIfBest(state: TrainingState, settings: TuningSettings, now: Evaluated): boolean {
  const { best } = state.progress;
  const better =
    best === null ||
    (settings.select === 'metric' && now.metric !== best.metric
      ? now.metric > best.metric
      : now.loss < best.loss);
  state.progress.history.push(now);
  if (!better) return false;
  state.progress.best = now;
  state.best.forEach((copy, i) => {
    copy.set(state.parameters[i]!);
  });
  return true;
}

function exhausted({ progress }: TrainingState, { patience }: TuningSettings): boolean {
  if (patience === 0 || !progress.best) return false;
  const since = progress.history.filter(({ step }) => step > progress.best!.step);
  return since.length >= patience;
}
