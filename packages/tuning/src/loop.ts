/**
 * The training loop: the runs of one job or of several take their steps together, as one batch of
 * rows around the frozen backbone, each row with its own prompt. Dev evaluation, events, checkpoints
 * and the wish to stop are each job's own.
 */
import { byLength, withinBudget } from './batches.ts';
import { bestRun } from './candidates.ts';
import { type Evaluated, type Identity, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { TuningError } from './errors.ts';
import type { FileCheck } from './file-check.ts';
import type { Gradients, Share } from './model.ts';
import type { Batch, Run, Step } from './run.ts';

/** Which of several candidates an event is about; absent where there is one alone. */
interface OfCandidate {
  readonly candidate?: string;
}

export type TuningEvent =
  | { readonly type: 'started'; readonly step: number; readonly totalSteps: number }
  | (OfCandidate &
      Omit<Step, 'evaluate'> & {
        readonly type: 'step';
        readonly tokensPerSecond: number;
        /** Seconds to the last step at the measured rate; early stopping may end sooner. */
        readonly etaSeconds: number;
      })
  | (OfCandidate &
      Evaluated & {
        readonly type: 'evaluated';
        /** The best of this run so far. */
        readonly best: boolean;
        /** Of several candidates: the best of all so far, which would be published now. */
        readonly leads?: boolean;
        readonly metricName: string;
      })
  /** A candidate that came to no good end; the others go on. */
  | {
      readonly type: 'diverged';
      readonly step: number;
      readonly message: string;
      readonly candidate: string;
    }
  | { readonly type: 'checkpoint'; readonly step: number }
  | { readonly type: 'checked'; readonly files: readonly FileCheck[] };

/** One job in the loop; `T` is what it comes to. */
export interface Member<T = unknown> {
  /** One, or the candidates. */
  readonly runs: readonly MemberRun[];
  readonly metricName: string;
  /** Train no more: keep what the checkpoint holds. */
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
  /** Asked before every step; true checkpoints and ends the member with `interrupted`. */
  readonly shouldStop?: () => boolean;
  /** What is made of the runs when they are complete. */
  readonly complete: (result: MemberResult) => Promise<T>;
}

export interface MemberRun {
  readonly run: Run;
  /** Names it among the candidates. */
  readonly candidate?: string;
  /** Dev loss and metric of the run's current parameters. */
  readonly evaluate: () => Promise<{ readonly loss: number; readonly metric: number }>;
}

export interface MemberResult {
  /** Of training, all parts of an interrupted job together. */
  readonly seconds: number;
}

export interface LoopOptions {
  /** Gradients of several prompts at once. */
  readonly model: { readonly gradients: (shares: readonly Share[]) => Promise<Gradients[]> };
  /** Largest padded size of one run of the graph. */
  readonly tokenBudget: number;
  /** Seconds, monotonic. */
  readonly clock?: () => number;
}

/**
 * Trains one job until its last epoch or early stopping.
 * @throws TuningError `interrupted`, `diverged` when no candidate is left, `no_version`, and those
 * of the checkpoint
 */
export async function train<T>(member: Member<T>, options: LoopOptions): Promise<T> {
  const [outcome] = await trainTogether([member], options);
  if (outcome!.status === 'rejected') throw outcome!.reason;
  return outcome!.value;
}

/**
 * Trains jobs side by side. One that fails, stops or is complete leaves; the others go on as if it
 * had never been there.
 * @returns how each ended; rejected as `train` says
 */
export async function trainTogether<T>(
  members: readonly Member<T>[],
  options: LoopOptions,
): Promise<PromiseSettledResult<T>[]> {
  const { clock = () => performance.now() / 1000 } = options;
  const sessions = members.map((member) => new Session(member, clock));
  for (const session of sessions) await session.guard(() => session.begin());
  for (;;) {
    const present: Session<T>[] = [];
    for (const session of sessions) if (await session.isPresent()) present.push(session);
    if (present.length === 0) break;
    const due = present.flatMap((session) => session.due());
    const batches: Batch[] = [];
    for (const { run } of due) batches.push(await run.batch());
    const gradients = await gradientsOf(batches, options);
    for (const session of present) {
      await session.guard(async () => {
        for (const [i, each] of due.entries()) {
          if (session.owns(each)) await session.learn(each, batches[i]!, gradients[i]!);
        }
        session.afterStep();
      });
    }
  }
  return sessions.map((session) => session.outcome!);
}

/** A member's way through the loop. */
class Session<T> {
  outcome: PromiseSettledResult<T> | null = null;
  readonly #member: Member<T>;
  readonly #clock: () => number;
  readonly #meter = { seconds: 0, tokens: 0, step: 0 };
  #secondsBefore = 0;
  #saved = 0;

  constructor(member: Member<T>, clock: () => number) {
    this.#member = member;
    this.#clock = clock;
  }

  begin(): void {
    const { runs, checkpoint, onEvent } = this.#member;
    const states = runs.map(({ run }) => run.state);
    if (checkpoint?.resume) {
      this.#secondsBefore = readCheckpoint(checkpoint.path, states, checkpoint.identity) ?? 0;
    }
    this.#saved = this.#clock();
    Object.assign(this.#meter, { seconds: this.#clock(), tokens: this.#tokens, step: this.#step });
    onEvent?.({ type: 'started', step: this.#step, totalSteps: this.#totalSteps });
  }

  /** False, and settled, when the member has come to its end or wants to stop. */
  async isPresent(): Promise<boolean> {
    await this.guard(() => this.#endIfDue());
    return this.outcome === null;
  }

  /** What fails here is this member's affair alone. */
  async guard(work: () => void | Promise<void>): Promise<void> {
    if (this.outcome) return;
    try {
      await work();
    } catch (reason) {
      this.outcome = { status: 'rejected', reason };
    }
  }

  due(): readonly MemberRun[] {
    return this.#member.runs.filter(({ run }) => !run.finished);
  }

  owns(each: MemberRun): boolean {
    return this.#member.runs.includes(each);
  }

  async learn(
    { run, candidate, evaluate }: MemberRun,
    batch: Batch,
    gradients: Gradients,
  ): Promise<void> {
    const { onEvent, metricName } = this.#member;
    const about = candidate === undefined ? {} : { candidate };
    const tellDiverged = () => {
      const message = run.diverged!;
      // Of the only run there is the error tells.
      if (candidate !== undefined) {
        onEvent?.({ type: 'diverged', step: run.progress.step, message, candidate });
      }
    };
    const learned = await run.learn(batch, gradients);
    if (!learned) return tellDiverged();
    const { evaluate: due, ...step } = learned;
    onEvent?.({ type: 'step', ...step, ...this.#pace(), ...about });
    if (!due) return;
    await run.tuned.refresh();
    const { loss, metric } = await evaluate();
    const evaluated = { step: step.step, loss, metric };
    const best = run.keep(evaluated);
    if (run.diverged) return tellDiverged();
    const leads = best && bestRun(this.#member.runs.map((each) => each.run)) === run;
    const among = candidate === undefined ? {} : { candidate, leads };
    onEvent?.({ type: 'evaluated', metricName, best, ...evaluated, ...among });
  }

  afterStep(): void {
    const { checkpoint, runs } = this.#member;
    const lost = runs.find(({ run }) => run.diverged);
    if (lost && runs.every(({ run }) => run.diverged)) {
      throw new TuningError('diverged', lost.run.diverged!);
    }
    if (checkpoint && this.#clock() - this.#saved >= checkpoint.everySeconds) this.#save();
  }

  async #endIfDue(): Promise<void> {
    const { finish, shouldStop, runs, complete } = this.#member;
    if (!finish && this.due().length > 0) {
      if (!shouldStop?.()) return;
      this.#save();
      throw new TuningError(
        'interrupted',
        `stopped after step ${this.#step} of ${this.#totalSteps}`,
      );
    }
    if (!runs.some(({ run }) => run.progress.best && !run.diverged)) {
      throw new TuningError(
        'no_version',
        `after step ${this.#step} there is no version yet: the first one comes with the ` +
          `evaluation after step ${runs[0]!.run.stepsPerEpoch}; train on`,
      );
    }
    if (!finish) this.#save();
    const value = await complete({ seconds: this.#seconds });
    this.outcome = { status: 'fulfilled', value };
  }

  #save(): void {
    const { checkpoint, runs, onEvent } = this.#member;
    if (!checkpoint) return;
    const states = runs.map(({ run }) => run.state);
    writeCheckpoint(checkpoint.path, states, this.#seconds, checkpoint.identity);
    this.#saved = this.#clock();
    onEvent?.({ type: 'checkpoint', step: this.#step });
  }

  #pace() {
    const elapsed = this.#clock() - this.#meter.seconds;
    const step = Math.max(1, this.#step - this.#meter.step);
    return {
      tokensPerSecond: (this.#tokens - this.#meter.tokens) / elapsed,
      etaSeconds: (elapsed / step) * (this.#totalSteps - this.#step),
    };
  }

  /** Of the run that has come furthest. */
  get #step(): number {
    return Math.max(...this.#member.runs.map(({ run }) => run.progress.step));
  }

  get #totalSteps(): number {
    return Math.max(...this.#member.runs.map(({ run }) => run.totalSteps));
  }

  get #tokens(): number {
    return this.#member.runs.reduce((sum, { run }) => sum + run.progress.tokens, 0);
  }

  get #seconds(): number {
    return this.#secondsBefore + this.#clock() - this.#meter.seconds;
  }
}

/** Gradients of each batch's mean loss over its labelled items, computed together in affordable pieces. */
async function gradientsOf(
  batches: readonly Batch[],
  { model, tokenBudget }: LoopOptions,
): Promise<Gradients[]> {
  const rows = batches.flatMap((batch, of) =>
    batch.rows.map((row, at) => ({ of, at, ids: row.ids })),
  );
  const pieces =
    batches.length === 1 ? withinBudget(rows, tokenBudget) : byLength(rows, tokenBudget);
  const sums = batches.map(() => ({ loss: 0, gradients: null as Float32Array[] | null }));
  for (const piece of pieces) {
    const parts = batches.flatMap((_, of) => {
      const own = piece.filter((row) => row.of === of).map(({ at }) => at);
      return own.length > 0 ? [{ of, own }] : [];
    });
    const results = await model.gradients(parts.map(({ of, own }) => cut(batches[of]!, own)));
    parts.forEach(({ of }, i) => {
      const sum = sums[of]!;
      sum.loss += results[i]!.loss;
      const { gradients } = results[i]!;
      if (!sum.gradients) sum.gradients = gradients as Float32Array[];
      else for (const [k, total] of sum.gradients.entries()) addInto(total, gradients[k]!);
    });
  }
  return sums.map(({ loss, gradients }) => ({ loss, gradients: gradients! }));
}

/** The rows of a batch at these places. */
function cut({ prompt, rows, weight, headDropout }: Batch, at: readonly number[]): Share {
  const width = headDropout.length / rows.length;
  const own = new Float32Array(at.length * width);
  at.forEach((row, i) => {
    own.set(headDropout.subarray(row * width, (row + 1) * width), i * width);
  });
  return { prompt, weight, rows: at.map((row) => rows[row]!), headDropout: own };
}

function addInto(sum: Float32Array, values: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + values[i]!;
}
