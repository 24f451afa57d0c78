/**
 * The training of one prompt, a step at a time: its own order of the data, dropout, schedule,
 * clipping, optimizer, best version and early stopping. It knows nothing of the graph and nothing
 * of other runs, so what it computes does not depend on who trains beside it. Everything random is
 * a function of the seed and the step.
 */
import { AdamW, clipScale, globalNorm } from '@polyprompt/autodiff';
import type { LossKind } from '@polyprompt/backbone';
import { epochBatches } from './batches.ts';
import { isBetter } from './better.ts';
import type { Evaluated, Progress, TrainingState } from './checkpoint.ts';
import { type FedPrompt, type Gradients, labelledItems, type TrainRow } from './model.ts';
import { dropoutMask, randomStream } from './random.ts';
import { learningRateAt } from './schedule.ts';
import type { TuningSettings } from './settings.ts';
import type { Tuned } from './tuned.ts';

export interface RunOptions {
  readonly settings: TuningSettings;
  readonly tuned: Tuned;
  readonly rows: readonly TrainRow[];
  readonly loss: LossKind;
  readonly classes: number;
  /** Width of what the head reads. */
  readonly hidden: number;
}

/** What one step needs, the same however its rows are cut into pieces. */
export interface Batch {
  readonly prompt: FedPrompt;
  readonly rows: readonly TrainRow[];
  readonly weight: number;
  /** [rows, hidden] */
  readonly headDropout: Float32Array;
}

export interface Step {
  /** Steps done, this one included. */
  readonly step: number;
  readonly totalSteps: number;
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly gradientNorm: number;
  /** An epoch is complete: the dev set is due. */
  readonly evaluate: boolean;
}

export class Run {
  readonly settings: TuningSettings;
  readonly tuned: Tuned;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly state: TrainingState;
  readonly #options: RunOptions;
  readonly #optimizer: AdamW;
  readonly #lengths: readonly number[];
  #epoch: { readonly number: number; readonly batches: number[][] } | null = null;
  #mask: Float32Array | null = null;

  constructor(options: RunOptions) {
    const { settings, tuned, rows } = options;
    this.settings = settings;
    this.tuned = tuned;
    this.#options = options;
    this.stepsPerEpoch = Math.ceil(rows.length / settings.batchSize);
    this.totalSteps = this.stepsPerEpoch * settings.epochs;
    this.#lengths = rows.map(({ ids }) => ids.length);
    const parameters = tuned.parameters.map(({ data }) => data);
    this.#optimizer = new AdamW(parameters);
    this.state = {
      names: tuned.parameters.map(({ name }) => name),
      parameters,
      optimizer: this.#optimizer.state,
      best: parameters.map((data) => data.slice()),
      progress: { step: 0, best: null, history: [], tokens: 0, diverged: null },
    };
  }

  get progress(): Progress {
    return this.state.progress;
  }

  /** Why it came to no good end; null while all is well. */
  get diverged(): string | null {
    return this.progress.diverged;
  }

  /** Whether there is nothing left to train. */
  get finished(): boolean {
    return (
      this.diverged !== null ||
      this.progress.step >= this.totalSteps ||
      exhausted(this.progress, this.settings)
    );
  }

  /** The rows of the next step. */
  async batch(): Promise<Batch> {
    const { settings, tuned, rows, loss, classes, hidden } = this.#options;
    const { step } = this.progress;
    const number = Math.floor(step / this.stepsPerEpoch);
    if (this.#epoch?.number !== number) {
      const batches = epochBatches(this.#lengths, settings.batchSize, settings.seed, number);
      this.#epoch = { number, batches };
    }
    const batch = this.#epoch.batches[step % this.stepsPerEpoch]!.map((i) => rows[i]!);
    const random = randomStream(settings.seed, 'dropout', step);
    const { prefixSize } = tuned;
    this.#mask =
      prefixSize > 0 && settings.dropout > 0
        ? dropoutMask(prefixSize, settings.dropout, random)
        : null;
    const headDropout = dropoutMask(batch.length * hidden, settings.headDropout, random);
    const items = batch.reduce((sum, row) => sum + labelledItems(row, loss, classes), 0);
    await tuned.refresh();
    return {
      prompt: tuned.prompt(this.#mask),
      rows: batch,
      weight: 1 / Math.max(1, items),
      headDropout,
    };
  }

  /** One optimizer step with the gradients of the batch; null, and finished, when they are no numbers. */
  async learn({ rows }: Batch, { loss, gradients: fed }: Gradients): Promise<Step | null> {
    const { settings, progress, totalSteps, stepsPerEpoch } = this;
    const gradients = await this.tuned.pull(fed, this.#mask);
    const gradientNorm = globalNorm(gradients);
    const { step } = progress;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      this.#diverge(step + 1, loss);
      return null;
    }
    const learningRate = learningRateAt(step, { ...settings, stepsPerEpoch, totalSteps });
    const scale = settings.clip > 0 ? clipScale(gradientNorm, settings.clip) : 1;
    this.#optimizer.step(gradients, learningRate, settings.weightDecay, scale);
    progress.step = step + 1;
    progress.tokens += rows.reduce((sum, { ids }) => sum + ids.length, 0);
    return {
      step: step + 1,
      totalSteps,
      epoch: Math.floor(step / stepsPerEpoch),
      loss,
      learningRate,
      gradientNorm,
      evaluate: (step + 1) % stepsPerEpoch === 0,
    };
  }

  /**
   * Notes an evaluation of the current parameters; without a loss the run is finished.
   * @returns whether they are the best so far
   */
  keep(now: Evaluated): boolean {
    const { best } = this.progress;
    if (!Number.isFinite(now.loss)) {
      this.#diverge(now.step, now.loss);
      return false;
    }
    this.progress.history.push(now);
    if (best && !isBetter(now, best, this.settings.select)) return false;
    this.progress.best = now;
    this.state.best.forEach((copy, i) => {
      copy.set(this.state.parameters[i]!);
    });
    return true;
  }

  #diverge(step: number, loss: number): void {
    this.progress.diverged =
      `training diverged at step ${step} of ${this.totalSteps} (loss ${loss}); lower ` +
      `learningRate (${this.settings.learningRate})`;
  }

  /** Goes back to the best version. */
  async restoreBest(): Promise<void> {
    this.state.parameters.forEach((values, i) => {
      values.set(this.state.best[i]!);
    });
    await this.tuned.refresh();
  }
}

function exhausted({ best, history }: Progress, { patience }: TuningSettings): boolean {
  if (patience === 0 || !best) return false;
  return history.filter(({ step }) => step > best.step).length >= patience;
}
