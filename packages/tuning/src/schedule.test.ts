import { describe, expect, it } from 'vitest';
import { learningRateAt, type ScheduleOptions } from './schedule.ts';

const base: ScheduleOptions = {
  learningRate: 1,
  schedule: 'linear',
  warmup: 0,
  decay: 0.95,
  stepsPerEpoch: 5,
  totalSteps: 10,
};
const rates = (options: ScheduleOptions) =>
  Array.from({ length: options.totalSteps }, (_, step) => learningRateAt(step, options));

describe('learningRateAt', () => {
  it('falls linearly and would reach 0 after the last step', () => {
    expect(rates(base)).toEqual([1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]);
  });

  it('warms up from the first step on', () => {
    const warm = rates({ ...base, warmup: 0.4 });
    expect(warm.slice(0, 5)).toEqual([0.25, 0.5, 0.75, 1, 1]);
    expect(warm[9]).toBeCloseTo(1 / 6, 10);
  });

  it('decays once per epoch', () => {
    expect(rates({ ...base, schedule: 'exponential' })).toEqual([
      ...Array(5).fill(1),
      ...Array(5).fill(0.95),
    ]);
  });

  it('stays', () => {
    expect(new Set(rates({ ...base, schedule: 'constant' }))).toEqual(new Set([1]));
  });
});
