/** The loop's decisions, on a model whose losses are made up. */
import { describe, expect, it } from 'vitest';
import { type LoopOptions, type Member, type TuningEvent, train, trainTogether } from './loop.ts';
import type { Share } from './model.ts';
import { Run } from './run.ts';
import { resolveSettings, type TuningInput } from './settings.ts';
import { Tuned } from './tuned.ts';

const rows = Array.from({ length: 4 }, () => ({
  ids: [0, 5, 2],
  typeIds: [0, 0, 0],
  target: Float32Array.of(1, 0),
}));

interface Dev {
  readonly loss: number;
  readonly metric: number;
}

function settingsOf(more: Partial<TuningInput> = {}) {
  return resolveSettings(
    { task: 'text-classification', epochs: 10, batchSize: 2, patience: 3, ...more },
    {
      name: 'tiny',
      family: 'roberta',
      usableTokens: () => 500,
      hasPooler: false,
      predictsWords: false,
    },
  );
}

/** A run of one number; `seed` tells the model below whose rows it is given. */
function runOf(dev: readonly Dev[], more: Partial<TuningInput> = {}) {
  const settings = settingsOf(more);
  const values = [{ name: 'head_bias', shape: [1, 1], data: Float32Array.of(1) }];
  const tuned = new Tuned({ settings, classes: 2, values });
  const run = new Run({ settings, tuned, rows, loss: 'pooled', classes: 2, hidden: 1 });
  let evaluation = 0;
  return { run, evaluate: async () => dev[Math.min(evaluation++, dev.length - 1)]! };
}

/** Losses by the prompt's own step. */
function model(loss: (share: Share, step: number) => number): LoopOptions {
  const steps = new Map<Float32Array, number>();
  const gradients = async (shares: readonly Share[]) =>
    shares.map((share) => {
      const { data } = share.prompt.values[0]!;
      const step = steps.get(data) ?? 0;
      steps.set(data, step + 1);
      const value = loss(share, step);
      return { loss: value, gradients: [Float32Array.of(value)] };
    });
  return { model: { gradients }, tokenBudget: 4096 };
}

function member(
  runs: Member['runs'],
  more: Partial<Member<number>> = {},
): Member<number> & { readonly runs: Member['runs'] } {
  const complete = async () => runs[0]!.run.progress.step;
  return { runs, metricName: 'accuracy', complete, ...more };
}

describe('train', () => {
  it('stops with the step and the advice when the loss is no number', async () => {
    const diverging = member([runOf([{ loss: 1, metric: 0 }])]);
    const nan = model((_, step) => (step < 5 ? 1 : Number.NaN));
    await expect(train(diverging, nan)).rejects.toThrow(
      'diverged at step 6 of 20 (loss NaN); lower learningRate (0.005)',
    );
  });

  it('stops as well when the loss on the dev set is none, whatever was kept before', async () => {
    const fine = { loss: 1, metric: 0.5 };
    const diverging = member([runOf([fine, { loss: Number.NaN, metric: 0.9 }])]);
    const result = train(
      diverging,
      model(() => 1),
    );
    await expect(result).rejects.toThrow(
      'diverged at step 4 of 20 (loss NaN); lower learningRate (0.005)',
    );
    const { best, history } = diverging.runs[0]!.run.progress;
    expect(best).toEqual({ step: 2, ...fine });
    expect(history).toEqual([best]);
  });

  it('keeps the best by metric, by loss among equals, and stops after the patience', async () => {
    const dev = [0.5, 0.8, 0.8, 0.7, 0.8, 0.7].map((metric, i) => ({ metric, loss: 1 - i / 10 }));
    const one = runOf(dev);
    await train(
      member([one]),
      model(() => 1),
    );
    const { best, history, step } = one.run.progress;
    expect(best).toMatchObject({ step: 10, metric: 0.8 });
    expect(history).toHaveLength(8);
    expect(step).toBe(16);
  });

  it('keeps the least loss where the loss decides', async () => {
    const dev = [1, 0.6, 0.7, 0.9, 0.9].map((loss) => ({ metric: loss, loss }));
    const one = runOf(dev, { select: 'loss' });
    await train(
      member([one]),
      model(() => 1),
    );
    expect(one.run.progress.best).toMatchObject({ step: 4, loss: 0.6 });
  });

  it('goes back to the parameters of the best version, not the last', async () => {
    const one = runOf([
      { loss: 1, metric: 0.9 },
      { loss: 1, metric: 0.1 },
    ]);
    await train(
      member([one]),
      model(() => 1),
    );
    expect(one.run.progress.best?.step).toBe(2);
    const [last] = one.run.state.parameters[0]!;
    await one.run.restoreBest();
    expect(one.run.state.parameters[0]![0]).toBeGreaterThan(last!);
  });
});

describe('runs side by side', () => {
  const steady = [{ loss: 1, metric: 0.5 }];

  it('lets a candidate diverge and the others go on', async () => {
    const runs = [1, 2, 3].map((seed) => ({ ...runOf(steady, { seed }), candidate: `s${seed}` }));
    const bad = runs[1]!.run.state.parameters[0]!;
    const events: TuningEvent[] = [];
    const nan = model((share, step) =>
      share.prompt.values[0]!.data === bad && step === 3 ? Number.NaN : 1,
    );
    await train(member(runs, { onEvent: (event) => events.push(event) }), nan);
    expect(runs.map(({ run }) => run.progress.step)).toEqual([8, 3, 8]);
    expect(events.filter(({ type }) => type === 'diverged')).toMatchObject([{ candidate: 's2' }]);
  });

  it('lets each job fail, stop and end for itself', async () => {
    let asked = 0;
    const ended: string[] = [];
    const jobs = [
      member([runOf(steady, { epochs: 2 })], { complete: async () => ended.push('short') }),
      member([runOf(steady)], { shouldStop: () => asked++ === 5 }),
      member([runOf(steady)], {
        onEvent: ({ type }) => {
          if (type === 'evaluated') throw new Error('the listener is broken');
        },
      }),
      member([runOf(steady)], { complete: async () => ended.push('long') }),
    ];
    const outcomes = await trainTogether(
      jobs,
      model(() => 1),
    );
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'interrupted' } },
      { status: 'rejected', reason: { message: 'the listener is broken' } },
      { status: 'fulfilled' },
    ]);
    expect(jobs.map(({ runs }) => runs[0]!.run.progress.step)).toEqual([4, 5, 2, 8]);
    expect(ended).toEqual(['short', 'long']);
  });

  it('feeds a finished run no more', async () => {
    const runs = [runOf(steady, { epochs: 1 }), runOf(steady, { epochs: 3 })];
    const together: number[] = [];
    const one = model(() => 1);
    const counted: LoopOptions = {
      ...one,
      model: {
        gradients: (shares) => {
          together.push(shares.length);
          return one.model.gradients(shares);
        },
      },
    };
    await train(member(runs), counted);
    expect(together).toEqual([2, 2, 1, 1, 1, 1]);
  });
});
