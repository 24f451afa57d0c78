import { fileKeys, jobKeys } from '@polyprompt/storage';
import { describe, expect, it } from 'vitest';
import { all, bytes, jobSpec, testJobs, testRegistry, upload } from './test-registry.ts';

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const FILE = { filename: 'a.jsonl', purpose: 'fine-tune' };
/** Keys of the tenants' files. */
const keysOf = async ({ storage }: Pick<Awaited<ReturnType<typeof testRegistry>>, 'storage'>) =>
  (await all(storage.list('tenants/'))).map(({ key }) => key).filter((key) => /files/.test(key));

describe('a sweep', () => {
  it('removes expired files of all tenants, and keeps those that are in use or have time', async () => {
    const test = await testRegistry();
    const { files, jobs, clock, registry } = test;
    const create = (tenant: string, expires: number | null) =>
      files.create(tenant, { ...FILE, expires, body: bytes('x') });
    const soon = clock.now() + HOUR;
    const [, , used] = [
      await create('acme', soon),
      await create('other', soon),
      await create('acme', soon),
    ];
    const kept = [await create('acme', clock.now() + DAY), await create('acme', null)];
    const job = await jobs.create('acme', jobSpec(used!.id), { bodyHash: 'x' });
    expect(await registry.sweep()).toMatchObject({ tenants: 2, files: 0 });
    clock.advance(HOUR);
    expect(await registry.sweep()).toMatchObject({ tenants: 2, files: 2 });
    expect(await keysOf(test)).toHaveLength(2 * (1 + kept.length));
    // The end of its use removes it.
    await jobs.cancel('acme', job.id);
    expect(await keysOf(test)).toHaveLength(2 * kept.length);
    for (const { id } of kept) expect((await files.get('acme', id)).id).toBe(id);
  });

  it('removes what interrupted uploads left, but nothing that may still arrive', async () => {
    const test = await testRegistry();
    const { files, clock, registry, storage } = test;
    const { id } = await upload({ files }, 'acme');
    const interrupted = id.replace(/.{4}$/, '0000');
    await storage.blobs.create(fileKeys('acme', interrupted).content, 'half');
    await files.presign('acme', { ...FILE, bytes: 4 });
    clock.advance(DAY - 1);
    expect(await registry.sweep()).toMatchObject({ files: 0 });
    clock.advance(1000);
    expect(await registry.sweep()).toMatchObject({ files: 2 });
    expect(await keysOf(test)).toEqual(Object.values(fileKeys('acme', id)).slice(1).sort());
  });

  it('tells the queue again about a job whose message is gone', async () => {
    const { create, messages, registry, clock, jobs } = await testJobs();
    const [lost, over] = [await create(), await create()];
    await messages();
    await jobs.cancel('acme', over.id);
    expect(await registry.sweep()).toMatchObject({ reminded: 0 });
    clock.advance(11 * 60_000);
    expect(await registry.sweep()).toMatchObject({ reminded: 1 });
    expect(await messages()).toEqual([lost.id]);
  });

  it('forgets requests that nobody can repeat any more', async () => {
    const { registry, clock, file, jobs } = await testJobs();
    const request = { bodyHash: 'b', idempotencyKey: 'k' };
    const job = await jobs.create('acme', jobSpec(file.id), request);
    clock.advance(DAY - 1);
    expect(await registry.sweep()).toMatchObject({ requests: 0 });
    expect((await jobs.create('acme', jobSpec(file.id), request)).id).toBe(job.id);
    clock.advance(1);
    expect(await registry.sweep()).toMatchObject({ requests: 1 });
  });

  it('is done by one process per interval', async () => {
    const { registry, another, clock } = await testRegistry();
    const everyMs = HOUR;
    const sweeps = [registry, another(), another()].map((each) => each.sweep({ everyMs }));
    const done = (await Promise.all(sweeps)).filter((report) => report !== undefined);
    expect(done).toHaveLength(1);
    clock.advance(HOUR - 1);
    expect(await another().sweep({ everyMs })).toBeUndefined();
    clock.advance(1);
    expect(await another().sweep({ everyMs })).toBeDefined();
  });

  it('of one tenant that fails does not keep the others from theirs', async () => {
    const { create, registry, files, storage, clock } = await testJobs();
    const job = await create();
    await storage.blobs.put(jobKeys('acme', job.id).document, 'garbage');
    const expires = clock.now() + HOUR;
    await files.create('other', { ...FILE, expires, body: bytes('x') });
    clock.advance(HOUR);
    const failed: unknown[] = [];
    const report = await registry.sweep({ onError: (_, tenant) => failed.push(tenant) });
    expect(report).toMatchObject({ tenants: 2, files: 1 });
    expect(failed).toEqual(['acme']);
  });
});
