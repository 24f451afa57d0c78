/** The parts together: the whole life of a prompt in a rough store, and two tenants who share it. */
import { describe, expect, it } from 'vitest';
import { isFinished } from './jobs/transition.ts';
import type { Registry } from './registry.ts';
import { bytes, jobSpec, ROUGH, samplePrompt, testRegistry, upload } from './test-registry.ts';

describe('with 5 % of all calls failing in each way', () => {
  it('every job that two workers take from the queue ends with one version', async () => {
    const { registry, another, queue, faults, jobs, prompts } = await testRegistry({ seed: 77 });
    faults.set(ROUGH);
    const file = await upload(registry, 'acme');
    const created = await Promise.all(
      [1, 2, 3].map((n) =>
        registry.jobs.create(
          'acme',
          { ...jobSpec(file.id, { activate: 'staging' }), prompt: 'topics' },
          { bodyHash: `${n}`, idempotencyKey: `key ${n}` },
        ),
      ),
    );
    const finished = async () =>
      (await Promise.all(created.map(({ id }) => jobs.get('acme', id)))).every(({ status }) =>
        isFinished(status),
      );
    const work = async ({ jobs, prompts, usage }: Registry, name: string) => {
      while (!(await finished())) {
        for (const message of await queue.receive({ waitSeconds: 0, visibilitySeconds: 0 })) {
          const { tenant, jobId } = message.body;
          const handle = await jobs.take(tenant, jobId, name);
          if (handle === 'busy') continue;
          if (handle !== 'done') {
            await handle.validated();
            await handle.event({ level: 'info', message: 'training' });
            await handle.saveState(bytes('state'));
            const packed = samplePrompt(created.findIndex(({ id }) => id === jobId) + 1);
            const { prompt, activate } = handle.job;
            const options = { actor: jobId, job: jobId, activate };
            const { version, hash } = await prompts.publish(tenant, prompt, packed, options);
            usage.record(tenant, prompt, { trainingTokens: 10 });
            await handle.finish({ status: 'succeeded', result: { version, hash } });
          }
          await message.remove();
        }
      }
      await usage.flush();
    };
    await Promise.all([work(another(), 'w1'), work(another(), 'w2')]);
    faults.clear();
    const { versions, aliases } = await prompts.get('acme', 'topics');
    expect(versions).toHaveLength(3);
    for (const { id } of created) {
      const { status, result } = await jobs.get('acme', id);
      const version = versions.find(({ job }) => job === id);
      expect([status, result]).toEqual([
        'succeeded',
        { version: version?.version, hash: version?.hash },
      ]);
    }
    expect(aliases.production).toBeDefined();
    const { items } = await registry.usage.query('acme', { limit: 5 });
    expect(items[0]?.trainingTokens).toBe(30);
    await registry.files.remove('acme', file.id);
  });
});

describe('two tenants', () => {
  it('see nothing of each other', async () => {
    const { registry } = await testRegistry();
    const { keys, files, jobs, prompts, usage } = registry;
    const { key } = await keys.create('acme', { name: 'k', scopes: ['admin'] });
    const file = await upload(registry, 'acme');
    const job = await jobs.create('acme', jobSpec(file.id), {
      bodyHash: 'b',
      idempotencyKey: 'k',
    });
    await prompts.publish('acme', 'topics', samplePrompt(), { actor: key.id });
    usage.record('acme', 'topics', { requests: 1 });

    const me = { actor: 'key-2' };
    const t = 'other';
    for (const list of [
      () => keys.list(t, { limit: 5 }),
      () => files.list(t, { limit: 5 }),
      () => jobs.list(t, { limit: 5 }),
      () => prompts.list(t, { limit: 5 }),
      () => usage.query(t, { limit: 5 }),
    ])
      expect(await list()).toEqual({ items: [], hasMore: false });
    const attempts: Record<string, () => Promise<unknown>> = {
      'revoke a key': () => keys.revoke(t, key.id),
      'get a file': () => files.get(t, file.id),
      'read a file': () => files.content(t, file.id),
      'remove a file': () => files.remove(t, file.id),
      'change a file': () => files.setStatus(t, file.id, 'error'),
      'report on a file': () => files.setReport(t, file.id, 'x', {}),
      'train on a file': () => jobs.create(t, jobSpec(file.id), { bodyHash: 'c' }),
      'get a job': () => jobs.get(t, job.id),
      'cancel a job': () => jobs.cancel(t, job.id),
      'pause a job': () => jobs.pause(t, job.id),
      'resume a job': () => jobs.resume(t, job.id),
      'read events': () => jobs.events(t, job.id, { limit: 5 }),
      'follow events': () => jobs.follow(t, job.id).next(),
      'add an event': () => jobs.addEvent(t, job.id, { level: 'info', message: 'x' }),
      'read checkpoints': () => jobs.checkpoints(t, job.id, { limit: 5 }),
      'resolve a prompt': () => prompts.resolve(t, { name: 'topics', target: { version: 1 } }),
      'get a prompt': () => prompts.get(t, 'topics'),
      'read a prompt': () => prompts.read(t, 'topics', 1),
      'get a version': () => prompts.version(t, 'topics', 1),
      'list versions': () => prompts.versions(t, 'topics', { limit: 5 }),
      'read history': () => prompts.history(t, 'topics', { limit: 5 }),
      'move an alias': () => prompts.setAlias(t, 'topics', 'production', { version: 1 }, me),
      'delete an alias': () => prompts.deleteAlias(t, 'topics', 'production', me),
      'roll back': () => prompts.rollback(t, 'topics', 'production', me),
      'remove a version': () => prompts.removeVersion(t, 'topics', 1, me),
      'remove a prompt': () => prompts.remove(t, 'topics', me),
      'export a version': () => prompts.exportVersion(t, 'topics', 1),
    };
    for (const [what, attempt] of Object.entries(attempts)) {
      const failure = await attempt().then(
        () => 'succeeded',
        (error) => error.code,
      );
      expect(failure, what).toMatch(/_not_found$/);
    }
    expect(await jobs.take(t, job.id, 'w')).toBe('done');
    expect((await jobs.get('acme', job.id)).status).toBe('validating_files');
  });

  it('use the same names and idempotency keys for things of their own', async () => {
    const { registry } = await testRegistry();
    const { jobs, prompts } = registry;
    const made = [];
    for (const [weight, tenant] of ['acme', 'other'].entries()) {
      const file = await upload(registry, tenant);
      const request = { bodyHash: 'b', idempotencyKey: 'k' };
      made.push((await jobs.create(tenant, jobSpec(file.id), request)).id);
      await prompts.publish(tenant, 'topics', samplePrompt(weight), { actor: 'key-1' });
    }
    expect(made[0]).not.toBe(made[1]);
    const ref = { name: 'topics', target: { alias: 'production' } };
    const [ours, theirs] = [
      await prompts.resolve('acme', ref),
      await prompts.resolve('other', ref),
    ];
    expect([ours.version, theirs.version]).toEqual([1, 1]);
    expect(ours.hash).not.toBe(theirs.hash);
  });

  it('with names that try to reach into each other are refused', async () => {
    const { registry } = await testRegistry();
    for (const tenant of ['acme/prompts', '..', '', 'a\u0000', '.acme']) {
      await expect(registry.prompts.list(tenant, { limit: 5 })).rejects.toThrow('not allowed');
      await expect(upload(registry, tenant)).rejects.toMatchObject({ code: 'bad_key' });
    }
  });
});
