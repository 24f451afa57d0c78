/** The service around a tuner, for tests: embedded store and queue, registry, a tenant that uploads and asks. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '@polyprompt/clock';
import { type FaultRates, Faults, startLocalCloud } from '@polyprompt/local-cloud';
import {
  createRegistry,
  isFinished,
  type Job,
  JobMessage,
  type JobSpec,
} from '@polyprompt/registry';
import { createStorage } from '@polyprompt/storage';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { localBackbones } from '../backbones.ts';
import { runTuner, type TunerDeps } from '../worker.ts';
import { BACKBONE_ID } from './backbone.ts';

export const TENANT = 'acme';
export const PROMPT = 'topics';

/** Real time, `factor` times as fast: leases and visibility run out in no time. */
export function fastClock(factor: number, start = Date.now()): Clock {
  return {
    now: () => start + (Date.now() - start) * factor,
    after(ms, fire) {
      const timer = setTimeout(fire, ms / factor);
      return () => clearTimeout(timer);
    },
  };
}

export interface ServiceOptions {
  /** Folder of model folders. */
  readonly models: string;
  /** Folder for the files of running jobs. */
  readonly workDir: string;
  readonly faults?: FaultRates;
  readonly clock?: Clock;
}

export async function startService({ models, workDir, faults: rates, clock }: ServiceOptions) {
  const faults = new Faults({ seed: 7 });
  const time = clock ? { clock } : {};
  const cloud = await startLocalCloud({
    dir: ':memory:',
    faults,
    maxSkewMs: Number.POSITIVE_INFINITY,
    ...time,
  });
  const { endpoint, credentials } = cloud;
  const open = () => createStorage({ endpoint, credentials, bucket: 'state', ...time });
  const storage = open();
  await storage.ensureBucket();
  const { url, deadLetterUrl } = await storage.ensureQueue('jobs');
  const queue = storage.queue(url, JobMessage);
  const registry = createRegistry({ storage, queue, ...time });
  if (rates) faults.set(rates);

  async function upload(lines: readonly string[], filename = 'train.jsonl'): Promise<string> {
    const body = (async function* () {
      yield Buffer.from(lines.join('\n'));
    })();
    const { id } = await registry.files.create(TENANT, { filename, purpose: 'fine-tune', body });
    return id;
  }

  let requests = 0;
  function create(trainingFile: string, more: Partial<JobSpec> = {}): Promise<Job> {
    const spec = {
      backbone: BACKBONE_ID,
      trainingFile,
      validationFile: null,
      seed: 1,
      activate: null,
      metadata: {},
      hyperparameters: { n_epochs: 6, batch_size: 8 },
      settings: { length: 2, early_stopping: 0 },
      prompt: PROMPT,
      ...more,
    };
    return registry.jobs.create(TENANT, spec, { bodyHash: `request ${requests++}` });
  }

  /** What a tuner works with: a connection of its own, as in another process. */
  function connect(more: Partial<TunerDeps> = {}): TunerDeps {
    const own = open();
    const ownQueue = own.queue(url, JobMessage);
    const ownRegistry = createRegistry({ storage: own, queue: ownQueue, ...time });
    onTestFinished(async () => {
      await ownRegistry.close();
      own.close();
    });
    return {
      registry: ownRegistry,
      queue: ownQueue,
      backbones: localBackbones({ models }),
      workDir,
      log: pino({ level: process.env.POLYPROMPT_LOG_LEVEL ?? 'silent' }),
      signal: new AbortController().signal,
      device: 'cpu',
      threads: 1,
      checkpointSeconds: 0.05,
      retryMs: 1,
      ...more,
    };
  }

  /** Starts a tuner in this process. */
  function startTuner(more: Partial<TunerDeps> = {}) {
    const stop = new AbortController();
    const done = runTuner(connect({ signal: stop.signal, ...more }));
    const tuner = {
      async stop() {
        stop.abort();
        await done;
      },
    };
    onTestFinished(() => tuner.stop());
    return tuner;
  }

  async function until(id: string, reached: (job: Job) => boolean): Promise<Job> {
    for (;;) {
      const job = await registry.jobs.get(TENANT, id);
      if (reached(job)) return job;
      if (isFinished(job.status)) {
        throw new Error(`the job ended early: ${job.status} ${job.error?.message ?? ''}`);
      }
      await sleep(20);
    }
  }

  async function events(id: string) {
    const { items } = await registry.jobs.events(TENANT, id, { limit: 10_000 });
    return items.toReversed();
  }

  onTestFinished(async () => {
    await registry.close();
    storage.close();
    await cloud.close();
  });
  return {
    endpoint,
    credentials,
    queueUrl: url,
    faults,
    storage,
    queue,
    deadLetters: storage.queue(deadLetterUrl, JobMessage),
    registry,
    upload,
    create,
    connect,
    startTuner,
    events,
    until,
    ended: (id: string) => until(id, (job) => isFinished(job.status)),
  };
}
