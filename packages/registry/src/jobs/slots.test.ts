import { describe, expect, it } from 'vitest';
import { bytes, jobSpec, ROUGH, testJobs, upload } from '../test-registry.ts';

describe('the number of unfinished jobs', () => {
  it('of one tenant has a limit, which every ended job makes room under', async () => {
    const { jobs, create, take, files, registry } = await testJobs({ tenantJobs: 2 });
    const [first, second] = [await create(), await create()];
    await expect(create()).rejects.toMatchObject({
      code: 'too_many_jobs',
      message: expect.stringContaining('has 2 jobs that have not ended, the limit'),
    });
    // Another tenant has its own.
    const { id } = await upload({ files }, 'other');
    await jobs.create('other', jobSpec(id), { bodyHash: 'x' });
    await jobs.cancel('acme', first.id);
    const third = await create();
    await expect(create()).rejects.toMatchObject({ code: 'too_many_jobs' });
    const handle = await take(second, registry);
    const error = { code: 'x', message: 'x', param: null };
    await handle.finish({ status: 'failed', error });
    await create();
    // What repeats a request needs no room.
    expect((await jobs.get('acme', third.id)).id).toBe(third.id);
  });

  it('is never exceeded by requests at the same time, and what is refused leaves nothing', async () => {
    const { jobs, another, file, files, storage, faults } = await testJobs({ tenantJobs: 3 });
    faults.set(ROUGH);
    const registries = [jobs, another({ tenantJobs: 3 }).jobs];
    const made = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        registries[i % 2]!.create('acme', jobSpec(file.id), { bodyHash: `${i}` }),
      ),
    );
    faults.clear();
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    const { items } = await jobs.list('acme', { limit: 20 });
    expect(items).toHaveLength(3);
    for (const { id } of items) await jobs.cancel('acme', id);
    await files.remove('acme', file.id);
    const folders: string[] = [];
    for await (const id of storage.listFolders('tenants/acme/files/')) folders.push(id);
    expect(folders).toEqual([]);
  });

  it('counts neither jobs whose end was not noted nor such as were never made', async () => {
    const { create, another, jobs, clock, storage, file } = await testJobs({ tenantJobs: 2 });
    const ended = await create();
    // A creation that dies after it took its slot: its file does not exist.
    const request = { bodyHash: 'dies' };
    await expect(
      jobs.create('acme', jobSpec(file.id.replace(/.$/, 'x')), request),
    ).rejects.toMatchObject({ code: 'file_not_found' });
    // A worker that died between the end of its job and the cleaning up.
    const slots = await storage.blobs.read('tenants/acme/unfinished-jobs.json');
    await another().jobs.cancel('acme', ended.id);
    await storage.blobs.put('tenants/acme/unfinished-jobs.json', bytes(slots!.toString()));
    await create();
    await expect(create()).rejects.toMatchObject({ code: 'too_many_jobs' });
    clock.advance(61_000);
    await create();
  });
});
