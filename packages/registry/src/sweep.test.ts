import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { fileKeys, jobKeys, type Storage } from '@polyprompt/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stateKey } from './layout.ts';
import { createRegistry } from './registry.ts';
import type { SweepOptions, SweepReport } from './sweep.ts';
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

  it('aborts uploads in parts that nobody went on with, of files and of states', async () => {
    const { registry, clock, endpoint, credentials } = await testRegistry();
    const s3 = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
    const { content } = fileKeys('acme', 'file-1');
    for (const Key of [content, stateKey('acme', 'ftjob-1', 1), 'elsewhere'])
      await s3.send(new CreateMultipartUploadCommand({ Bucket: 'state', Key }));
    // The store has its own clock.
    clock.advance(Math.max(0, Date.now() - clock.now()) + DAY + HOUR);
    expect(await registry.sweep()).toMatchObject({ uploads: 2 });
    const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'state' }));
    s3.destroy();
    expect(Uploads?.map(({ Key }) => Key)).toEqual(['elsewhere']);
  });

  it('removes the states that dead workers left behind the end of their jobs, and no other', async () => {
    const { create, jobs, registry, storage } = await testJobs();
    const [ended, waiting] = [await create(), await create()];
    // Each was stored by a worker that died before it could say so.
    for (const { id } of [ended, waiting])
      await storage.blobs.put(stateKey('acme', id, 1), 'a state');
    await jobs.cancel('acme', ended.id);
    expect(await registry.sweep()).toMatchObject({ states: 1 });
    const left = (await all(storage.list('checkpoints/'))).map(({ key }) => key);
    expect(left).toEqual([stateKey('acme', waiting.id, 1)]);
    await jobs.cancel('acme', waiting.id);
    expect(await registry.sweep()).toMatchObject({ states: 1 });
    expect(await registry.sweep()).toMatchObject({ states: 0 });
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

/** `count` tenants, each with a file that has expired and something that stays. */
async function testTenants(count: number) {
  const test = await testRegistry();
  const { files, clock, storage, queue } = test;
  const expires = clock.now() + HOUR;
  const names = Array.from({ length: count }, (_, i) => `t${String(i).padStart(2, '0')}`);
  await Promise.all(
    names.map(async (name) => {
      await files.create(name, { ...FILE, expires, body: bytes('x') });
      await storage.blobs.put(`tenants/${name}/stays`, '');
    }),
  );
  clock.advance(HOUR);
  return {
    ...test,
    names,
    /** Tenants that still have their file. */
    left: async () => (await keysOf(test)).filter((key) => key.endsWith('.json')).length,
    /** A process whose sweep calls `event` when it comes to the files of a tenant. */
    interrupted(at: string | undefined, event: () => Promise<void>) {
      const mortal: Storage = {
        ...storage,
        async *listFolders(folder, options) {
          if (folder === `tenants/${at}/files/`) await event();
          yield* storage.listFolders(folder, options);
        },
      };
      return createRegistry({ storage: mortal, queue, clock });
    },
  };
}

describe('a pass of several sweeps', () => {
  it('goes on where the last one stopped, and begins anew behind the last tenant', async () => {
    const { another, left } = await testTenants(20);
    const sweeps = [];
    for (let i = 0; i < 5; i++) sweeps.push(await another().sweep({ maxTenants: 9 }));
    expect(sweeps).toMatchObject([
      { tenants: 9, files: 9, complete: false },
      { tenants: 9, files: 9, complete: false },
      { tenants: 2, files: 2, complete: true },
      { tenants: 9, files: 0, complete: false },
      { tenants: 9, files: 0, complete: false },
    ]);
    expect(await left()).toBe(0);
  });

  it('has tenants in each, even if there is no time at all', async () => {
    const { another, left } = await testTenants(20);
    const first = await another().sweep({ maxMs: 0 });
    expect(first).toMatchObject({ complete: false });
    expect(first?.tenants).toBeGreaterThan(0);
    while (!(await another().sweep({ maxMs: 0 }))?.complete);
    expect(await left()).toBe(0);
  });

  it('stops when its time is over or it is told to, and is not to blame for that', async () => {
    const { another, clock, storage, names, left } = await testTenants(20);
    for (let i = 0; i < 10; i++) {
      const report = await another().sweep({ signal: AbortSignal.abort() });
      expect(report).toMatchObject({ tenants: 0, complete: false });
    }
    await storage.blobs.put(`tenants/${names[2]}/unfinished-jobs.json`, 'garbage');
    const failed: unknown[] = [];
    const report = await another().sweep({
      maxMs: 1000,
      onError: (_, tenant) => {
        failed.push(tenant);
        clock.advance(1000);
      },
    });
    expect(failed).toEqual([names[2]]);
    expect(report).toMatchObject({ tenants: 8, files: 7, complete: false });
    expect(await another().sweep()).toMatchObject({ tenants: 12, files: 12, complete: true });
    expect(await left()).toBe(1);
  });

  /** Sweeps until it is killed at a tenant, where it stays for ever. @returns the report of one that is not */
  const sweepAndDie = (
    { interrupted }: Awaited<ReturnType<typeof testTenants>>,
    at: string | undefined,
    options?: SweepOptions,
  ) =>
    new Promise<SweepReport | undefined>((resolve, reject) => {
      const die = () => new Promise<void>(() => resolve(undefined));
      interrupted(at, die).sweep(options).then(resolve, reject);
    });

  it('goes on where a killed one was', async () => {
    const test = await testTenants(20);
    expect(await sweepAndDie(test, test.names[12])).toBeUndefined();
    // The first group was done, and its bookmark set.
    expect(await test.another().sweep()).toMatchObject({ tenants: 12, complete: true });
    expect(await test.left()).toBe(0);
  });

  it('leaves out a tenant that kills every sweep, and no other', async () => {
    const test = await testTenants(20);
    const at = test.names[5];
    const passedOver: unknown[] = [];
    const onError = (error: unknown, tenant?: string) => passedOver.push([error, tenant]);
    let report: SweepReport | undefined;
    for (let i = 0; i < 6 && !report; i++) report = await sweepAndDie(test, at, { onError });
    expect(report).toMatchObject({ complete: true });
    expect(passedOver).toEqual([[expect.objectContaining({ code: 'sweep_stuck' }), at]]);
    expect(await test.left()).toBe(1);
    // A later pass tries again.
    expect(await test.another().sweep()).toMatchObject({ tenants: 20, files: 1, complete: true });
  });

  it('is taken over by a second sweep, whose bookmark the first one leaves alone', async () => {
    const { another, interrupted, names, left } = await testTenants(30);
    // While the first is at its second group, the second goes on behind the first group.
    const second: unknown[] = [];
    const first = interrupted(names[8], async () => {
      second.push(await another().sweep({ maxTenants: 20 }));
    });
    expect(await first.sweep()).toMatchObject({ tenants: 16, complete: false });
    expect(second).toMatchObject([{ tenants: 20, complete: false }]);
    expect(await another().sweep()).toMatchObject({ tenants: 2, complete: true });
    expect(await left()).toBe(0);
  });

  it('reaches every tenant, whatever bounds and however many at once', async () => {
    const rounds = fc.array(
      fc.record({
        maxTenants: fc.integer({ min: 1, max: 12 }),
        atOnce: fc.integer({ min: 1, max: 3 }),
      }),
      { minLength: 1, maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(rounds, async (plan) => {
        const { another, left } = await testTenants(10);
        const before = await left();
        for (const { maxTenants, atOnce } of plan)
          await Promise.all(Array.from({ length: atOnce }, () => another().sweep({ maxTenants })));
        const most = plan.reduce((sum, { maxTenants, atOnce }) => sum + maxTenants * atOnce, 0);
        expect(before - (await left())).toBeLessThanOrEqual(most);
        await another().sweep();
        await another().sweep();
        expect(await left()).toBe(0);
      }),
      { numRuns: 5 },
    );
  });
});
