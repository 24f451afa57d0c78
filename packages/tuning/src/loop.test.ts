/** The loop's decisions, on a model whose losses are made up. */
import { describe, expect, it } from 'vitest';
import { type LoopOptions, train } from './loop.ts';
import { resolveSettings } from './settings.ts';

const settings = resolveSettings(
  { task: 'text-classification', epochs: 10, batchSize: 2, patience: 3 },
  { family: 'roberta', usableTokens: () => 500 },
);
const rows = Array.from({ length: 4 }, () => ({
  ids: [0, 5, 2],
  typeIds: [0, 0, 0],
  target: Float32Array.of(1, 0),
}));

function fake(loss: (step: number) => number, dev: { loss: number; metric: number }[]) {
  let step = 0;
  let evaluation = 0;
  const data = Float32Array.of(1);
  const options: LoopOptions = {
    settings,
    rows,
    metricName: 'accuracy',
    model: {
      parameters: [{ name: 'head_bias', shape: [1], data }],
      gradients: async () => {
        const value = loss(step++);
        return { loss: value, gradients: [Float32Array.of(value)] };
      },
    },
    evaluate: async () => dev[Math.min(evaluation++, dev.length - 1)]!,
  };
  return options;
}

describe('train', () => {
  it('stops with the step and the advice when the loss is no number', async () => {
    const diverging = fake((step) => (step < 5 ? 1 : Number.NaN), [{ loss: 1, metric: 0 }]);
    await expect(train(diverging)).rejects.toThrow(
      'diverged at step 6 of 20 (loss NaN); lower learningRate (0.005)',
    );
  });

  it('keeps the best by metric, by loss among equals, and stops after the patience', async () => {
    const dev = [0.5, 0.8, 0.8, 0.7, 0.8, 0.7].map((metric, i) => ({ metric, loss: 1 - i / 10 }));
    const result = await train(fake(() => 1, dev));
    expect(result.best).toMatchObject({ step: 10, metric: 0.8 });
    expect(result.history).toHaveLength(8);
    expect(result.steps).toBe(16);
  });

  it('keeps the least loss where the loss decides', async () => {
    const dev = [1, 0.6, 0.7, 0.9, 0.9].map((loss) => ({ metric: loss, loss }));
    const byLoss = fake(() => 1, dev);
    const result = await train({ ...byLoss, settings: { ...settings, select: 'loss' } });
    expect(result.best).toMatchObject({ step: 4, loss: 0.6 });
  });

  it('returns the parameters of the best version, not the last', async () => {
    const options = fake(
      () => 1,
      [
        { loss: 1, metric: 0.9 },
        { loss: 1, metric: 0.1 },
      ],
    );
    const result = await train(options);
    expect(result.best.step).toBe(2);
    expect(result.parameters[0]![0]).toBeGreaterThan(options.model.parameters[0]!.data[0]!);
  });
});
