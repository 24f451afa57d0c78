import { jobKeys, type Leases } from '@polyprompt/storage';
import { describe, expect, it } from 'vitest';
import { createRegistry } from '../registry.ts';
import { all, bytes, deadClock, settled, testJobs } from '../test-registry.ts';
import type { JobHandle } from './worker.ts';

const RESULT = { version: 1, hash: 'sha256:1' };
/** When the lease of a silent worker is free for others. */
const LEASE_MS = 30_000 + 2000;

async function text(handle: JobHandle): Promise<string | undefined> {
  const stream = await handle.loadState();
  return stream && Buffer.concat(await stream.toArray()).toString();
}

describe('a worker', () => {
  it('takes a job, tells how far it is, and finishes it', async () => {
    const { jobs, create, take, clock, storage, files, file } = await testJobs();
    const job = await create();
    const handle = await take(job);
    expect(handle.job).toMatchObject({ status: 'validating_files', worker: 'w1', attempts: 1 });
    await handle.validated();
    clock.advance(500);
    await handle.update({ progress: { step: 5 }, trainedTokens: 99, estimatedFinish: 7 });
    expect(await jobs.get('acme', job.id)).toMatchObject({
      status: 'running',
      updated: clock.now(),
      progress: { step: 5 },
      trainedTokens: 99,
      estimatedFinish: 7,
    });
    await handle.saveState(bytes('state'));
    await handle.finish({ status: 'succeeded', result: RESULT });
    expect(await jobs.get('acme', job.id)).toMatchObject({
      status: 'succeeded',
      finished: clock.now(),
      result: RESULT,
      worker: null,
      estimatedFinish: null,
    });
    expect(await jobs.take('acme', job.id, 'w2')).toBe('done');
    const { folder } = jobKeys('acme', job.id);
    const left = await all(storage.list(folder));
    expect(left.map(({ key }) => key.slice(folder.length))).toEqual([
      'events/0000000001',
      'job.json',
      'lease.json',
    ]);
    await files.remove('acme', file.id);
    for (const act of [() => handle.update({}), () => handle.finish({ status: 'paused' })])
      await expect(act()).rejects.toMatchObject({ code: 'lease_lost' });
  });

  it('adds checkpoints, each step once', async () => {
    const { jobs, create, take } = await testJobs();
    const { id } = await create();
    const handle = await take(await jobs.get('acme', id));
    await handle.addCheckpoint({ step: 10, metrics: { valid_loss: 0.5 } });
    await handle.addCheckpoint({ step: 20, metrics: { valid_loss: 0.6 } });
    await handle.addCheckpoint({ step: 10, metrics: { valid_loss: 0.4 } });
    expect(await jobs.checkpoints('acme', id, { limit: 1 })).toMatchObject({
      items: [{ step: 20 }],
      hasMore: true,
    });
    expect(await jobs.checkpoints('acme', id, { limit: 1, after: 20 })).toMatchObject({
      items: [{ step: 10, metrics: { valid_loss: 0.4 } }],
      hasMore: false,
    });
    await handle.release();
  });

  it('is the only one: of several one wins, the others are told that the job is busy', async () => {
    const { jobs, another, create } = await testJobs();
    const job = await create();
    const processes = [jobs, another().jobs, another().jobs, jobs];
    const takes = await Promise.all(processes.map((each, i) => each.take('acme', job.id, `w${i}`)));
    const handles = takes.filter((taken) => typeof taken !== 'string');
    expect(takes.filter((taken) => taken === 'busy')).toHaveLength(3);
    expect(handles).toHaveLength(1);
    await handles[0]!.release();
  });

  it('has nothing to do for a job that is over, paused, or was never there', async () => {
    const { jobs, create } = await testJobs();
    const [over, paused] = [await create(), await create()];
    await jobs.cancel('acme', over.id);
    await jobs.pause('acme', paused.id);
    for (const id of [over.id, paused.id, over.id.replace(/.$/, 'x'), '../x'])
      expect(await jobs.take('acme', id, 'w1')).toBe('done');
  });

  it('succeeds only with files that were found sound', async () => {
    const { create, take } = await testJobs();
    const handle = await take(await create());
    await expect(handle.finish({ status: 'succeeded', result: RESULT })).rejects.toMatchObject({
      code: 'job_state',
    });
    const error = { code: 'file.invalid', message: 'line 3', param: 'training_file' };
    const failed = await handle.finish({ status: 'failed', error });
    expect(failed).toMatchObject({ status: 'failed', error, result: null });
  });

  it('that works long keeps its lease and does not look abandoned', async () => {
    const { jobs, another, create, take, clock, messages } = await testJobs();
    const job = await create();
    const handle = await take(job);
    await messages();
    const started = clock.now();
    while (clock.now() < started + 15 * 60_000) {
      clock.advance(5000);
      // Heartbeat, expiry and the look at the user's wishes.
      await settled(clock, 3);
    }
    expect(handle.signal.aborted).toBe(false);
    expect(await another().jobs.take('acme', job.id, 'w2')).toBe('busy');
    await jobs.get('acme', job.id);
    expect(await messages()).toEqual([]);
    await handle.release();
    expect(clock.pending).toBe(0);
  });
});

describe('a worker that gives a job back', () => {
  it('lets another continue from the saved state, and has not crashed', async () => {
    const { jobs, another, create, take } = await testJobs();
    const job = await create();
    const first = await take(job);
    await first.validated();
    expect(await text(first)).toBeUndefined();
    await first.saveState(bytes('first ', 'state'));
    await first.saveState('second state');
    await first.release();
    expect(await jobs.get('acme', job.id)).toMatchObject({
      status: 'queued',
      worker: null,
      attempts: 0,
    });
    const second = await take(job, another(), 'w2');
    expect(second.job).toMatchObject({ status: 'running', worker: 'w2' });
    expect(await text(second)).toBe('second state');
    await second.saveState('third state');
    await second.release();
    const third = await take(job);
    expect(await text(third)).toBe('third state');
    await third.release();
  });
});

describe('a worker that stood still', () => {
  it('changes nothing after another has taken over, though it does not know yet', async () => {
    const { jobs, another, create, take, clock, storage } = await testJobs();
    const job = await create();
    let now = clock.now();
    const still = await take(job, another({ clock: deadClock(() => now) }), 'still');
    await still.validated();
    await still.saveState('old state');
    clock.advance(LEASE_MS);
    const heir = await take(job, another(), 'heir');
    expect(await text(heir)).toBe('old state');
    await heir.saveState('new state');
    const before = await jobs.get('acme', job.id);

    // By its own clock no time has passed.
    await still.saveState('late state');
    for (const act of [
      () => still.update({ progress: { step: 1 } }),
      () => still.saveState('later state'),
      () => still.finish({ status: 'succeeded', result: RESULT }),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'lease_lost' });
    expect(still.signal.reason).toMatchObject({ code: 'lease_lost' });
    now += 1;
    await still.release();
    expect(await jobs.get('acme', job.id)).toEqual(before);
    expect(await text(heir)).toBe('new state');
    await heir.validated();
    await heir.finish({ status: 'succeeded', result: RESULT });
    expect((await jobs.get('acme', job.id)).status).toBe('succeeded');
    expect(await all(storage.list(jobKeys('acme', job.id).checkpoints))).toEqual([]);
  });

  it('while it took the job finds that another has it, and leaves it alone', async () => {
    const { jobs, another, create, take, clock, storage, queue } = await testJobs();
    const job = await create();
    let heir: JobHandle | undefined;
    const leases: Pick<Leases, 'acquire'> = {
      async acquire(key, options) {
        const lease = await storage.leases.acquire(key, { ...options, heartbeat: false });
        clock.advance(LEASE_MS);
        heir = await take(job, another(), 'heir');
        return lease;
      },
    };
    const still = createRegistry({
      storage: { ...storage, leases: leases as Leases },
      queue,
      clock,
      maxAttempts: 1,
    });
    expect(await still.jobs.take('acme', job.id, 'still')).toBe('busy');
    await heir?.update({ progress: { step: 1 } });
    expect(await jobs.get('acme', job.id)).toMatchObject({
      status: 'validating_files',
      worker: 'heir',
      attempts: 1,
      progress: { step: 1 },
    });
    await heir?.release();
  });

  it('is told as soon as it moves again', async () => {
    const { another, create, take, clock } = await testJobs();
    const job = await create();
    const still = await take(job, another({ clock: deadClock(() => clock.now()) }), 'still');
    clock.advance(LEASE_MS);
    await expect(still.event({ level: 'info', message: 'late' })).rejects.toMatchObject({
      code: 'lease_lost',
    });
  });
});

describe('a job that kills its worker', () => {
  it('is failed with the reason when it is taken for the fourth time', async () => {
    const { jobs, another, create, take, clock } = await testJobs();
    const job = await create();
    for (let attempt = 1; attempt <= 3; attempt++) {
      const dead = another({ clock: deadClock(() => clock.now()) });
      const { job: taken } = await take(job, dead);
      expect(taken.attempts).toBe(attempt);
      clock.advance(LEASE_MS);
    }
    expect(await jobs.take('acme', job.id, 'w')).toBe('done');
    expect(await jobs.get('acme', job.id)).toMatchObject({
      status: 'failed',
      finished: clock.now(),
      worker: null,
      error: { code: 'worker_died', message: expect.stringContaining('3 times') },
    });
    const { items } = await jobs.events('acme', job.id, { limit: 1 });
    expect(items[0]).toMatchObject({ level: 'error' });
  });

  it('but gets ahead in between is not given up', async () => {
    const { another, create, take, clock } = await testJobs();
    const job = await create();
    for (let attempt = 1; attempt <= 6; attempt++) {
      const handle = await take(job, another({ clock: deadClock(() => clock.now()) }));
      if (attempt % 2) await handle.saveState(`state ${attempt}`);
      clock.advance(LEASE_MS);
    }
    const last = await take(job);
    expect(await text(last)).toBe('state 5');
    await last.release();
  });
});
