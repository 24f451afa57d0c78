/** Learning rate by step: linear warm-up, then one of three decays. */
export const SCHEDULES = ['linear', 'exponential', 'constant'] as const;
export type Schedule = (typeof SCHEDULES)[number];

export interface ScheduleOptions {
  readonly learningRate: number;
  readonly schedule: Schedule;
  /** Share of all steps spent warming up from 0. */
  readonly warmup: number;
  /** Factor per epoch of the exponential schedule. */
  readonly decay: number;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
}

/**
 * Rate of the step with this 0-based number. `linear` falls to 0 after the last step; `exponential`
 * is multiplied by `decay` once per finished epoch (PAPERS 1.3: 0.95 for tagging and QA).
 */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  const { learningRate, schedule, warmup, decay, stepsPerEpoch, totalSteps } = options;
  const warmupSteps = Math.ceil(warmup * totalSteps);
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  switch (schedule) {
    case 'linear':
      return (learningRate * (totalSteps - step)) / Math.max(1, totalSteps - warmupSteps);
    case 'exponential':
      return learningRate * decay ** Math.floor(step / stepsPerEpoch);
    case 'constant':
      return learningRate;
    default:
      throw new Error(`unknown schedule ${schedule satisfies never}`);
  }
}
