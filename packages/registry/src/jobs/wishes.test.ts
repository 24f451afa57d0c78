/** What users want of a job, and how its worker hears of it. */
import { describe, expect, it } from 'vitest';
import { advanceUntil, deadClock, testJobs } from '../test-registry.ts';

const RESULT = { version: 1, hash: 'sha256:1' };

describe('a job that no worker holds', () => {
  it('is cancelled, paused and resumed at once, each repeatable', async () => {
    const { jobs, create, messages, clock } = await testJobs();
    const { id } = await create();
    await messages();
    for (let i = 0; i < 2; i++)
      expect(await jobs.pause('acme', id)).toMatchObject({ status: 'paused', finished: null });
    expect(await messages()).toEqual([]);
    for (let i = 0; i < 2; i++) expect((await jobs.resume('acme', id)).status).toBe('queued');
    expect(await messages()).toEqual([id]);
    for (let i = 0; i < 2; i++)
      expect(await jobs.cancel('acme', id)).toMatchObject({
        status: 'cancelled',
        finished: clock.now(),
      });
    const { items } = await jobs.events('acme', id, { limit: 10 });
    expect(items.map(({ message }) => message)).toEqual([
      'Cancellation requested',
      'Resumed',
      'Pause requested',
      `Created fine-tuning job: ${id}`,
    ]);
  });

  it('that is over can do nothing more', async () => {
    const { jobs, create, take } = await testJobs();
    const cancelled = await create();
    await jobs.cancel('acme', cancelled.id);
    const failed = await create();
    await (await take(failed)).finish({
      status: 'failed',
      error: { code: 'x', message: 'x', param: null },
    });
    for (const act of [
      () => jobs.pause('acme', cancelled.id),
      () => jobs.resume('acme', cancelled.id),
      () => jobs.cancel('acme', failed.id),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'job_finished' });
    for (const act of ['cancel', 'pause', 'resume', 'get'] as const)
      await expect(jobs[act]('acme', 'ftjob-none')).rejects.toMatchObject({
        code: 'job_not_found',
      });
  });
});

describe('a job at work', () => {
  it.each(['pause', 'cancel'] as const)('hears of a %s and ends its work', async (wish) => {
    const { jobs, another, create, take, clock } = await testJobs();
    const job = await create();
    const handle = await take(job, another());
    await handle.validated();
    const asked = await jobs[wish]('acme', job.id);
    expect(asked).toMatchObject({ status: 'running', wanted: wish });
    expect([handle.wanted, handle.signal.aborted]).toEqual(['run', false]);
    await advanceUntil(clock, 1000, () => handle.signal.aborted);
    expect(handle.signal.reason).toMatchObject({
      code: 'stop_wanted',
      message: expect.stringContaining(wish),
    });
    expect(handle.wanted).toBe(wish);
    const ended = await handle.finish(
      wish === 'pause' ? { status: 'paused' } : { status: 'cancelled', result: RESULT },
    );
    expect(ended).toMatchObject(
      wish === 'pause' ? { status: 'paused' } : { status: 'cancelled', result: RESULT },
    );
    expect(await jobs.take('acme', job.id, 'w2')).toBe('done');
  });

  it('hears of a wish also by any other write', async () => {
    const { jobs, another, create, take } = await testJobs();
    const job = await create();
    const handle = await take(job, another());
    await jobs.cancel('acme', job.id);
    await handle.update({ progress: { step: 1 } });
    expect(handle.signal.aborted).toBe(true);
    await handle.finish({ status: 'cancelled' });
    expect(await jobs.get('acme', job.id)).toMatchObject({ status: 'cancelled', result: null });
  });

  it('goes to the queue again when the pause is taken back before it took place', async () => {
    const { jobs, another, create, take, messages } = await testJobs();
    const job = await create();
    const handle = await take(job, another());
    await handle.validated();
    await messages();
    await jobs.pause('acme', job.id);
    await jobs.resume('acme', job.id);
    expect(await messages()).toEqual([]);
    expect((await handle.finish({ status: 'paused' })).status).toBe('queued');
    expect(await messages()).toEqual([job.id]);
  });

  it('that saved its state and paused is cancelled by a worker, who keeps the best', async () => {
    const { jobs, create, take, messages } = await testJobs();
    const job = await create();
    const first = await take(job);
    await first.validated();
    await first.saveState('state');
    await jobs.pause('acme', job.id);
    await first.finish({ status: 'paused' });
    await messages();
    expect(await jobs.cancel('acme', job.id)).toMatchObject({ status: 'paused', wanted: 'cancel' });
    expect(await messages()).toEqual([job.id]);
    await expect(jobs.resume('acme', job.id)).rejects.toMatchObject({ code: 'job_state' });
    const second = await take(job);
    expect(second.signal.aborted).toBe(true);
    expect(second.wanted).toBe('cancel');
    await second.finish({ status: 'cancelled', result: RESULT });
    expect(await jobs.get('acme', job.id)).toMatchObject({ status: 'cancelled', result: RESULT });
  });

  it('whose worker died meanwhile is ended by the next one', async () => {
    const { jobs, another, create, take, clock } = await testJobs();
    const job = await create();
    await take(job, another({ clock: deadClock(() => clock.now()) }));
    expect((await jobs.cancel('acme', job.id)).status).toBe('validating_files');
    clock.advance(32_000);
    const heir = await take(job);
    expect(heir.wanted).toBe('cancel');
    await heir.finish({ status: 'cancelled' });
    expect((await jobs.get('acme', job.id)).status).toBe('cancelled');
  });
});
