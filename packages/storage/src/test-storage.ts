/** A storage over a fresh local cloud: what the tests of this package run against. */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, ManualClock } from '@polyprompt/clock';
import { FAULTS, type FaultRates, Faults, startLocalCloud } from '@polyprompt/local-cloud';
import { onTestFinished } from 'vitest';
import { createContext } from './context.ts';
import { createStorage } from './storage.ts';

/** Another object store that the tests run against, as `npm run test:radosgw` sets it; faults are then without effect. */
const { AWS_ACCESS_KEY_ID = 'test', AWS_SECRET_ACCESS_KEY = 'test' } = process.env;
const ELSEWHERE = process.env.POLYPROMPT_TEST_S3
  ? {
      endpoint: process.env.POLYPROMPT_TEST_S3,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    }
  : undefined;

/** Every fault of the service strikes one call in twenty; only the slow body, which tests nothing here, does not. */
export const ROUGH: FaultRates = Object.fromEntries(
  FAULTS.filter((fault) => fault !== 'slowBody').map((fault) => [fault, 0.05]),
);

export async function testStorage({ clock, seed = 1 }: { clock?: Clock; seed?: number } = {}) {
  const faults = new Faults({ seed });
  const cloud = await startLocalCloud({
    dir: ':memory:',
    faults,
    maxSkewMs: Number.POSITIVE_INFINITY,
    ...(clock ? { clock } : {}),
  });
  const { endpoint, credentials } = ELSEWHERE ?? cloud;
  const bucket = ELSEWHERE ? `test-${randomUUID()}` : 'bucket';
  const options = { endpoint, credentials, bucket, ...(clock ? { clock } : {}) };
  const storage = createStorage(options);
  await storage.ensureBucket();
  onTestFinished(async () => {
    storage.close();
    await cloud.close();
  });
  return {
    ...storage,
    cloud,
    faults,
    /** Whether they strike. */
    hasFaults: ELSEWHERE === undefined,
    /** Another process, as far as the service can tell. */
    another: (more: Partial<typeof options> = {}) => createStorage({ ...options, ...more }),
    context: createContext(options),
  };
}

/** Waits until exactly `timers` sleep on the clock: requests that a timer started have then been answered. */
export async function settled(clock: ManualClock, timers: number): Promise<void> {
  while (clock.pending !== timers) await sleep(1);
}

/** Collects an async iteration. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
