/** Registries over a fresh local cloud, as if in several processes: what the tests of this package run against. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type ManualClock, manualClock } from '@polyprompt/clock';
import { FAULTS, type FaultRates, Faults, startLocalCloud } from '@polyprompt/local-cloud';
import { type PackedPrompt, packPrompt } from '@polyprompt/prompts';
import { createStorage } from '@polyprompt/storage';
import { onTestFinished } from 'vitest';
import { type Job, JobMessage, type JobSpec } from './jobs/job.ts';
import type { JobHandle } from './jobs/worker.ts';
import { createRegistry, type Registry, type RegistryOptions } from './registry.ts';

/** Every fault of the service strikes one call in twenty; only the slow body, which tests nothing here, does not. */
export const ROUGH: FaultRates = Object.fromEntries(
  FAULTS.filter((fault) => fault !== 'slowBody').map((fault) => [fault, 0.05]),
);

/**
 * Time stands still unless a test advances it.
 * @param maxAttempts tries per call; 1 lets a single fault through
 */
export async function testRegistry({
  seed = 1,
  maxAttempts = 8,
  tenantJobs,
}: {
  seed?: number;
  maxAttempts?: number;
  tenantJobs?: number;
} = {}) {
  const clock = manualClock(Date.UTC(2026, 10, 21, 12));
  const faults = new Faults({ seed });
  const dir = mkdtempSync(join(tmpdir(), 'registry-'));
  const cloud = await startLocalCloud({
    dir,
    faults,
    durability: 'normal',
    maxSkewMs: Number.POSITIVE_INFINITY,
  });
  const { endpoint, credentials } = cloud;
  const open = (own: Clock = clock) =>
    createStorage({ endpoint, credentials, bucket: 'state', clock: own, maxAttempts });
  const storage = open();
  const storages = [storage];
  await storage.ensureBucket();
  const { url } = await storage.ensureQueue('jobs', { maxReceives: 1000 });
  const queue = storage.queue(url, JobMessage);
  onTestFinished(async () => {
    for (const each of storages) each.close();
    await cloud.close();
    rmSync(dir, { recursive: true });
  });
  /** Another process, as far as the store can tell. */
  const another = (options: Partial<RegistryOptions> = {}): Registry => {
    const own = open(options.clock);
    storages.push(own);
    return createRegistry({ storage: own, queue: own.queue(url, JobMessage), clock, ...options });
  };
  const registry = createRegistry({ storage, queue, clock, tenantJobs });
  return { ...registry, registry, storage, queue, clock, faults, another, endpoint, credentials };
}

/** A small valid prompt; different weights have different bytes, different times only another card. */
export function samplePrompt(weight = 1, created = '2026-11-21T12:00:00.000Z'): PackedPrompt {
  return packPrompt(
    {
      task: 'text-classification',
      labels: ['bad', 'good'],
      method: 'head',
      backbone: `sha256:${'0'.repeat(64)}`,
      backboneName: 'mini',
      positions: 'shifted',
      pooling: 'mean',
      headWeight: { shape: [2, 2], data: new Float32Array([weight, 0, 0, 1]) },
      headBias: { shape: [2], data: new Float32Array(2) },
      training: {
        recipe: 'default',
        seed: 1,
        epochs: 1,
        steps: 10,
        best: 10,
        examples: { train: 8, dev: 2 },
        languages: ['en'],
        metric: 'accuracy',
        score: 0.5,
      },
    },
    {
      created,
      data: [],
      settings: {},
      metrics: {},
      lineage: { parent: null },
      versions: {},
      wall_seconds: 1,
      device: 'cpu',
    },
  );
}

/** Uploads a file. */
export function upload({ files }: Pick<Registry, 'files'>, tenant: string, text = 'line\n') {
  return files.create(tenant, { filename: 'a.jsonl', purpose: 'fine-tune', body: bytes(text) });
}

export function jobSpec<T extends Partial<JobSpec>>(
  trainingFile: string,
  more: T = {} as T,
): JobSpec & T {
  return {
    backbone: 'mini',
    trainingFile,
    validationFile: null,
    seed: 1,
    activate: null,
    metadata: {},
    hyperparameters: {},
    settings: { task: 'text-classification' },
    ...more,
  };
}

/** A registry with an uploaded file, `create` for jobs on it, and `take` for a worker that must get one. */
export async function testJobs(options: Parameters<typeof testRegistry>[0] = {}) {
  const test = await testRegistry(options);
  const file = await upload(test, 'acme');
  let count = 0;
  return {
    ...test,
    file,
    create: (more: Partial<JobSpec & { prompt: string }> = {}): Promise<Job> =>
      test.jobs.create('acme', jobSpec(file.id, more), { bodyHash: `body ${count++}` }),
    async take({ id }: Job, { jobs }: Registry = test.registry, worker = 'w1'): Promise<JobHandle> {
      const handle = await jobs.take('acme', id, worker);
      if (typeof handle === 'string') throw new Error(`take gave ${handle}`);
      return handle;
    },
    /** Ids of the jobs that the queue tells about now. */
    messages: async () =>
      (await test.queue.receive({ max: 10, waitSeconds: 0 })).map(({ body }) => body.jobId),
  };
}

/** A clock whose timers never fire: a process that died, or stands still. */
export function deadClock(now: () => number): Clock {
  return { now, after: () => () => undefined };
}

/** A body as it comes from a request: in pieces. */
export async function* bytes(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

/** Collects an async iteration. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Moves time on in steps, letting what each step started be answered, until `done`. */
export async function advanceUntil(
  clock: ManualClock,
  stepMs: number,
  done: () => boolean,
): Promise<void> {
  while (!done()) {
    clock.advance(stepMs);
    await sleep(5);
  }
}

/** Waits until exactly `timers` wait on the clock: requests that a timer started have then been answered. */
export async function settled(clock: ManualClock, timers: number): Promise<void> {
  while (clock.pending !== timers) await sleep(1);
}
