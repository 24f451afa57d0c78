import { describe, expect, it } from 'vitest';
import { advanceUntil, all, testJobs } from '../test-registry.ts';
import type { NumberedEvent } from './job.ts';

const info = (message: string) => ({ level: 'info' as const, message });

describe('events', () => {
  it('are numbered without gaps and repetitions, whoever adds them', async () => {
    const { jobs, another, create } = await testJobs();
    const { id } = await create();
    const processes = [jobs, another().jobs, another().jobs];
    await Promise.all(
      processes.map(async (each, i) => {
        for (let n = 0; n < 4; n++) await each.addEvent('acme', id, info(`${i}.${n}`));
      }),
    );
    const { items, hasMore } = await another().jobs.events('acme', id, { limit: 100 });
    expect(hasMore).toBe(false);
    expect(items.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 13 }, (_, i) => 13 - i),
    );
    for (let i = 0; i < 3; i++) {
      const own = items.map(({ message }) => message).filter((m) => m.startsWith(`${i}.`));
      expect(own).toEqual([3, 2, 1, 0].map((n) => `${i}.${n}`));
    }
  });

  it('are listed page by page, newest first', async () => {
    const { jobs, create, clock } = await testJobs();
    const { id } = await create();
    await jobs.addEvent('acme', id, {
      level: 'warn',
      message: 'loss',
      type: 'metrics',
      data: { loss: 0.5 },
    });
    await jobs.addEvent('acme', id, info('last'));
    const first = await jobs.events('acme', id, { limit: 2 });
    expect(first.hasMore).toBe(true);
    expect(first.items[1]).toEqual({
      sequence: 2,
      created: clock.now(),
      level: 'warn',
      message: 'loss',
      type: 'metrics',
      data: { loss: 0.5 },
    });
    const rest = await jobs.events('acme', id, { limit: 2, after: 2 });
    expect(rest).toMatchObject({ items: [{ sequence: 1 }], hasMore: false });
    await expect(jobs.events('acme', 'ftjob-none', { limit: 1 })).rejects.toMatchObject({
      code: 'job_not_found',
    });
  });

  it('are followed as they come, to the last one before the job ends', async () => {
    const { jobs, another, create, take, clock } = await testJobs();
    const job = await create();
    const seen: NumberedEvent[] = [];
    let ended = false;
    const following = (async () => {
      for await (const event of another().jobs.follow('acme', job.id)) seen.push(event);
      ended = true;
    })();
    const handle = await take(job);
    for (let i = 2; i <= 4; i++) {
      await handle.event(info(`event ${i}`));
      await advanceUntil(clock, 500, () => seen.length === i);
      expect(ended).toBe(false);
    }
    await handle.event(info('the end'));
    await handle.finish({ status: 'cancelled' });
    await advanceUntil(clock, 500, () => ended);
    await following;
    expect(seen.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
    expect(seen.at(-1)?.message).toBe('the end');
    const rest = await all(jobs.follow('acme', job.id, { after: 3 }));
    expect(rest.map(({ sequence }) => sequence)).toEqual([4, 5]);
  });

  it('are no longer followed when the follower leaves', async () => {
    const { jobs, create, clock } = await testJobs();
    const job = await create();
    const leave = new AbortController();
    const following = all(jobs.follow('acme', job.id, { signal: leave.signal }));
    await expect.poll(() => clock.pending).toBe(1);
    leave.abort();
    expect(await following).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});
