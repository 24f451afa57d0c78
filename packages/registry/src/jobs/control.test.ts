import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cancelled, paused, resumed } from './control.ts';
import { JOB_STATUSES, Job, type Wanted } from './job.ts';
import { isFinished } from './transition.ts';

const NOW = 1000;

const anyJob = fc
  .record({
    status: fc.constantFrom(...JOB_STATUSES),
    wanted: fc.constantFrom<Wanted>('run', 'pause', 'cancel'),
    worker: fc.constantFrom(null, 'w'),
    saved: fc.constantFrom(null, { fence: 1 }),
    attempts: fc.nat(3),
  })
  .map(
    (some): Job => ({
      ...some,
      id: 'ftjob-1',
      tenant: 'acme',
      prompt: 'topics',
      backbone: 'mini',
      trainingFile: 'file-1',
      validationFile: null,
      seed: 1,
      activate: null,
      metadata: {},
      hyperparameters: {},
      settings: {},
      created: 1,
      updated: 1,
      finished: null,
      trainedTokens: null,
      estimatedFinish: null,
      progress: null,
      checkpoints: [],
      result: null,
      error: null,
      fence: 1,
      sent: 1,
    }),
  );

describe('a request of the user', () => {
  it.each([
    ['cancel', cancelled],
    ['pause', paused],
    ['resume', resumed],
  ] as const)('to %s is safe to repeat and leaves a valid job', (_, change) => {
    fc.assert(
      fc.property(anyJob, (job) => {
        let after: Job | undefined;
        try {
          after = change(job, NOW);
        } catch (error) {
          const code = isFinished(job.status) ? 'job_finished' : 'job_state';
          expect(error).toMatchObject({ code });
          return;
        }
        if (!after) return;
        expect(Job.parse(after)).toEqual(after);
        expect(change(after, NOW)).toBeUndefined();
        expect(after.finished !== null).toBe(isFinished(after.status));
        // Only a worker may change the status of a job that it holds.
        if (job.worker !== null && job.status !== 'paused') expect(after.status).toBe(job.status);
        // Whoever is to act has been told: the worker by the wish, or the queue.
        if (after.worker === null && after.wanted === 'cancel' && !isFinished(after.status))
          expect(after.sent).toBeNull();
      }),
    );
  });

  it('to cancel ends a job at once unless there may be something to keep', () => {
    fc.assert(
      fc.property(anyJob, (job) => {
        fc.pre(!isFinished(job.status) && job.wanted !== 'cancel');
        const after = cancelled(job, NOW)!;
        expect(after.status === 'cancelled').toBe(job.worker === null && job.saved === null);
      }),
    );
  });

  it('to pause or resume cannot take back a cancellation', () => {
    fc.assert(
      fc.property(anyJob, (job) => {
        fc.pre(!isFinished(job.status));
        const cancelling = { ...job, wanted: 'cancel' as const };
        for (const change of [paused, resumed])
          expect(() => change(cancelling, NOW)).toThrow('being cancelled');
      }),
    );
  });
});
