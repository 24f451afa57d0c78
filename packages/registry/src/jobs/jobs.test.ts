import { describe, expect, it } from 'vitest';
import { jobSpec, testJobs } from '../test-registry.ts';

describe('creating a job', () => {
  it('stores it and tells the queue', async () => {
    const { jobs, create, messages, file, clock } = await testJobs();
    const job = await create({ metadata: { team: 'x' }, activate: 'production' });
    expect(job).toMatchObject({
      tenant: 'acme',
      status: 'validating_files',
      trainingFile: file.id,
      metadata: { team: 'x' },
      activate: 'production',
      created: clock.now(),
      sent: clock.now(),
    });
    expect((await create({ prompt: 'topics' })).prompt).toBe('topics');
    expect(await jobs.get('acme', job.id)).toEqual(job);
    expect(await messages()).toContain(job.id);
    expect(job.prompt).toBe(job.id);
    await expect(create({ prompt: '../x' })).rejects.toMatchObject({ code: 'bad_value' });
  });

  it('with one idempotency key makes one job, also at the same time in several processes', async () => {
    const { jobs, another, file, messages, clock } = await testJobs();
    const request = { bodyHash: 'b', idempotencyKey: 'k' };
    const made = await Promise.all(
      [jobs, another().jobs, another().jobs, jobs, another().jobs].map((each) =>
        each.create('acme', jobSpec(file.id), request),
      ),
    );
    clock.advance(23 * 3600_000);
    made.push(await jobs.create('acme', jobSpec(file.id), request));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect((await jobs.list('acme', { limit: 5 })).items).toHaveLength(1);
    expect(new Set(await messages())).toEqual(new Set([made[0]!.id]));
    const events = await jobs.events('acme', made[0]!.id, { limit: 10 });
    expect(events.items.filter(({ message }) => message.startsWith('Created'))).toHaveLength(1);

    await expect(
      jobs.create('acme', jobSpec(file.id), { ...request, bodyHash: 'c' }),
    ).rejects.toMatchObject({ code: 'idempotency_mismatch' });
    clock.advance(3600_000);
    const next = await jobs.create('acme', jobSpec(file.id), request);
    expect(next.id).not.toBe(made[0]!.id);
  });

  it('with the same body shortly after gives the same job, unless that one is over', async () => {
    const { jobs, file, clock } = await testJobs();
    const create = () => jobs.create('acme', jobSpec(file.id), { bodyHash: 'b' });
    const first = await create();
    clock.advance(59_000);
    expect((await create()).id).toBe(first.id);
    clock.advance(1000);
    const second = await create();
    expect(second.id).not.toBe(first.id);
    await jobs.cancel('acme', second.id);
    expect((await create()).id).not.toBe(second.id);
  });

  it.each([
    ['the request was noted', 'PutObject', 1],
    ['the file was marked as used', 'PutObject', 2],
    ['the job was stored', 'PutObject', 3],
    ['its first event was stored', 'SendMessage', 0],
    ['the queue was told', 'PutObject', 4],
  ])(
    'that was interrupted after %s is completed when it is repeated',
    async (_, operation, skip) => {
      const { jobs, file, faults, messages } = await testJobs({ maxAttempts: 1 });
      const create = () =>
        jobs.create('acme', jobSpec(file.id), { bodyHash: 'b', idempotencyKey: 'k' });
      faults.script('internalError', { operation, skip });
      await expect(create()).rejects.toMatchObject({ code: 'unavailable' });
      const job = await create();
      expect(await create()).toEqual(job);
      expect((await jobs.list('acme', { limit: 5 })).items).toEqual([job]);
      expect(await messages()).toContain(job.id);
    },
  );

  it('that was interrupted before the queue was told is completed by whoever reads the job', async () => {
    const { jobs, create, faults, messages, clock } = await testJobs({ maxAttempts: 1 });
    faults.script('internalError', { operation: 'SendMessage' });
    await expect(create()).rejects.toMatchObject({ code: 'unavailable' });
    const [job] = (await jobs.list('acme', { limit: 1 })).items;
    expect(await messages()).toEqual([]);
    clock.advance(5001);
    faults.script('internalError', { operation: 'SendMessage' });
    expect((await jobs.get('acme', job!.id)).sent).toBeNull();
    await jobs.list('acme', { limit: 1 });
    expect(await messages()).toEqual([job!.id]);
    clock.advance(5001);
    await jobs.get('acme', job!.id);
    expect(await messages()).toEqual([]);
  });

  it('whose message was lost is brought to mind again after a while', async () => {
    const { jobs, create, messages, clock } = await testJobs();
    const job = await create();
    expect(await messages()).toEqual([job.id]);
    clock.advance(10 * 60_000);
    await jobs.get('acme', job.id);
    expect(await messages()).toEqual([]);
    clock.advance(1);
    await jobs.get('acme', job.id);
    expect(await messages()).toEqual([job.id]);
  });
});

describe('listing jobs', () => {
  it('gives the newest first, page by page, and by metadata', async () => {
    const { jobs, create, clock } = await testJobs();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift((await create({ metadata: { parity: String(i % 2), all: 'x' } })).id);
      clock.advance(i);
    }
    const first = await jobs.list('acme', { limit: 2 });
    const second = await jobs.list('acme', { limit: 3, after: ids[1] });
    expect([first, second].map(({ items }) => items.map(({ id }) => id))).toEqual([
      ids.slice(0, 2),
      ids.slice(2),
    ]);
    expect([first.hasMore, second.hasMore]).toEqual([true, false]);
    const odd = await jobs.list('acme', { limit: 5, metadata: { parity: '1', all: 'x' } });
    expect(odd.items.map(({ id }) => id)).toEqual([ids[1], ids[3]]);
  });
});
