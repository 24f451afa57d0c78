import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobHandle } from '@polyprompt/registry';
import { expect, it, onTestFinished } from 'vitest';
import { Reporter } from './reporter.ts';

it('stores a state only after the evaluations that led to it are in the job', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'polyprompt-reporter-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const checkpoint = join(folder, 'checkpoint');
  writeFileSync(checkpoint, 'state');
  const written: string[] = [];
  const slow = Promise.withResolvers<void>();
  const handle: Pick<JobHandle, 'addCheckpoint' | 'event' | 'saveState'> = {
    async addCheckpoint({ step }) {
      await slow.promise;
      written.push(`evaluation ${step}`);
    },
    event: async () => undefined,
    async saveState() {
      written.push('state');
    },
  };
  const reporter = new Reporter({
    handle: handle as JobHandle,
    registry: { files: {} as never },
    checkpoint,
    onError: (error) => {
      throw error;
    },
  });
  for (const step of [6, 12]) {
    reporter.follow({
      type: 'evaluated',
      step,
      metric: 0.5,
      metricName: 'accuracy',
      loss: 1,
      best: true,
    });
  }
  reporter.follow({ type: 'checkpoint', step: 12 });
  await sleep(50);
  expect(written).toEqual([]);
  slow.resolve();
  await reporter.settled();
  expect(written).toEqual(['evaluation 6', 'evaluation 12', 'state']);
});
