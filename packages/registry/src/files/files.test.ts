import { createHash } from 'node:crypto';
import { fileKeys } from '@polyprompt/storage';
import { describe, expect, it, vi } from 'vitest';
import { all, bytes, jobSpec, testRegistry, upload } from '../test-registry.ts';

const FILE = { filename: 'train.jsonl', purpose: 'fine-tune' };
const request = { bodyHash: 'b' };

describe('a file', () => {
  it('is stored as it comes and read back', async () => {
    const { files } = await testRegistry();
    const file = await files.create('acme', { ...FILE, body: bytes('one\n', 'two\n') });
    expect(file).toMatchObject({
      ...FILE,
      bytes: 8,
      sha256: createHash('sha256').update('one\ntwo\n').digest('hex'),
      status: 'processed',
    });
    expect(await files.get('acme', file.id)).toEqual(file);
    const { body } = await files.content('acme', file.id);
    expect(Buffer.concat(await body.toArray()).toString()).toBe('one\ntwo\n');
    const part = await files.content('acme', file.id, { range: { start: 4 } });
    expect(Buffer.concat(await part.body.toArray()).toString()).toBe('two\n');
  });

  it('leaves nothing when it is too large or its body breaks', async () => {
    const { files, storage } = await testRegistry();
    await expect(
      files.create('acme', { ...FILE, body: bytes('1234', '5678'), maxBytes: 7 }),
    ).rejects.toMatchObject({ code: 'too_large', message: expect.stringContaining('7 bytes') });
    async function* broken() {
      yield* bytes('1234');
      throw new Error('connection lost');
    }
    await expect(files.create('acme', { ...FILE, body: broken() })).rejects.toThrow(
      'connection lost',
    );
    expect(await all(storage.list('tenants/'))).toEqual([]);
    await files.create('acme', { ...FILE, body: bytes('1234', '567'), maxBytes: 7 });
  });

  it('leaves nothing when the answer to its last write is lost', async () => {
    const { files, storage, faults } = await testRegistry({ maxAttempts: 1 });
    faults.script('errorAfterCommit', { operation: 'PutObject', skip: 1 });
    await expect(files.create('acme', { ...FILE, body: bytes('1234') })).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(await all(storage.list('tenants/'))).toEqual([]);
  });

  it('is not found when it is removed while its upload is looked for', async () => {
    const { files, storage, another } = await testRegistry();
    const { file } = await files.presign('acme', { ...FILE, bytes: 4 });
    const head = storage.blobs.head.bind(storage.blobs);
    vi.spyOn(storage.blobs, 'head').mockImplementationOnce(async (key) => {
      await storage.blobs.put(key, 'late');
      const info = await head(key);
      await another().files.remove('acme', file.id);
      return info;
    });
    await expect(files.get('acme', file.id)).rejects.toMatchObject({ code: 'file_not_found' });
  });

  it('is listed page by page, newest or oldest first, by purpose', async () => {
    const { files, clock } = await testRegistry();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      const purpose = i === 1 ? 'evals' : 'fine-tune';
      ids.push((await files.create('acme', { ...FILE, purpose, body: bytes('x') })).id);
      clock.advance(1000);
    }
    for (const order of ['desc', 'asc'] as const) {
      const expected = order === 'asc' ? ids : ids.toReversed();
      const seen: string[] = [];
      for (let after: string | undefined, more = true; more; after = seen.at(-1)) {
        const page = await files.list('acme', { limit: 2, after, order });
        seen.push(...page.items.map(({ id }) => id));
        more = page.hasMore;
      }
      expect(seen).toEqual(expected);
    }
    const evals = await files.list('acme', { limit: 2, purpose: 'evals' });
    expect(evals.items.map(({ id }) => id)).toEqual([ids[1]]);
    expect(evals.hasMore).toBe(false);
  });

  it('keeps its status and its reports', async () => {
    const { files } = await testRegistry();
    const { id } = await upload({ files }, 'acme');
    await files.setReport('acme', id, 'text-classification', { valid: false, issues: [3] });
    await files.setStatus('acme', id, 'error', '3 bad lines');
    expect(await files.get('acme', id)).toMatchObject({
      status: 'error',
      statusDetails: '3 bad lines',
      reports: { 'text-classification': { valid: false, issues: [3] } },
    });
  });

  it('is gone after it is removed, bytes included', async () => {
    const { files, storage } = await testRegistry();
    const { id } = await upload({ files }, 'acme');
    await files.remove('acme', id);
    expect(await all(storage.list('tenants/'))).toEqual([]);
    for (const act of [
      () => files.get('acme', id),
      () => files.remove('acme', id),
      () => files.content('acme', id),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'file_not_found' });
  });

  it('is gone for everybody once its removal has begun, and the next look completes it', async () => {
    const { files, storage, faults } = await testRegistry({ maxAttempts: 1 });
    const { id } = await upload({ files }, 'acme');
    faults.script('internalError', { operation: 'DeleteObject' });
    await expect(files.remove('acme', id)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(files.get('acme', id)).rejects.toMatchObject({ code: 'file_not_found' });
    expect(await all(storage.list('tenants/'))).toEqual([]);
  });

  it('that removed itself on time is gone', async () => {
    const { files, clock, storage } = await testRegistry();
    const expires = clock.now() + 3600_000;
    const { id } = await files.create('acme', { ...FILE, expires, body: bytes('x') });
    clock.advance(3600_000 - 1);
    expect((await files.get('acme', id)).expires).toBe(expires);
    clock.advance(1);
    expect((await files.list('acme', { limit: 5 })).items).toEqual([]);
    expect(await all(storage.list('tenants/'))).toEqual([]);
  });
});

describe('a file that a job uses', () => {
  it('cannot be removed, and does not expire, before the job has ended', async () => {
    const { files, jobs, clock } = await testRegistry();
    const expires = clock.now() + 3600_000;
    const { id } = await files.create('acme', { ...FILE, expires, body: bytes('x') });
    const dev = await upload({ files }, 'acme');
    const job = await jobs.create('acme', jobSpec(id, { validationFile: dev.id }), request);
    for (const used of [id, dev.id]) {
      await expect(files.remove('acme', used)).rejects.toMatchObject({
        code: 'file_in_use',
        message: expect.stringContaining(job.id),
      });
    }
    clock.advance(3600_000);
    expect((await files.get('acme', id)).id).toBe(id);
    await jobs.cancel('acme', job.id);
    await expect(files.get('acme', id)).rejects.toMatchObject({ code: 'file_not_found' });
    await files.remove('acme', dev.id);
  });

  it('is not held by a job that was never made', async () => {
    const { files } = await testRegistry();
    const { id } = await upload({ files }, 'acme');
    await files.use('acme', id, 'ftjob-never-made');
    await files.remove('acme', id);
  });

  it('must exist and have arrived', async () => {
    const { files, jobs } = await testRegistry();
    const { id } = await upload({ files }, 'acme');
    const { file } = await files.presign('acme', { ...FILE, bytes: 3 });
    const bad = await upload({ files }, 'acme');
    await files.setStatus('acme', bad.id, 'error', 'not JSON');
    for (const [training, code] of [
      ['file-none', 'file_not_found'],
      [file.id, 'file_not_ready'],
      [bad.id, 'file_not_ready'],
    ]) {
      await expect(
        jobs.create('acme', jobSpec(training!), { bodyHash: training! }),
      ).rejects.toMatchObject({ code });
      await expect(
        jobs.create('acme', jobSpec(id, { validationFile: training! }), {
          bodyHash: `${training}2`,
        }),
      ).rejects.toMatchObject({ code });
    }
    await files.remove('acme', id);
    await expect(jobs.create('acme', jobSpec(id), request)).rejects.toMatchObject({
      code: 'file_not_found',
    });
    expect((await jobs.list('acme', { limit: 5 })).items).toEqual([]);
  });
});

describe('a presigned upload', () => {
  it('becomes a file when its bytes have arrived', async () => {
    const { files } = await testRegistry();
    const { file, upload: target } = await files.presign('acme', { ...FILE, bytes: 4 });
    expect(await files.get('acme', file.id)).toEqual({ ...file, status: 'uploaded' });
    await expect(files.content('acme', file.id)).rejects.toMatchObject({ code: 'file_not_ready' });
    const { 'content-length': _, ...headers } = target.headers;
    const answer = await fetch(target.url, { method: 'PUT', headers, body: 'abcd' });
    expect(answer.status).toBe(200);
    expect(await files.get('acme', file.id)).toEqual({ ...file, status: 'processed' });
    const { body } = await files.content('acme', file.id);
    expect(Buffer.concat(await body.toArray()).toString()).toBe('abcd');
  });

  it('that does not arrive is an error after its time', async () => {
    const { files, clock } = await testRegistry();
    const { file } = await files.presign('acme', { ...FILE, bytes: 4, expiresSeconds: 60 });
    clock.advance(60_000 + 3600_000);
    expect(await files.get('acme', file.id)).toMatchObject({
      status: 'error',
      statusDetails: expect.stringContaining('did not arrive'),
    });
  });

  it('is removed with whatever has arrived', async () => {
    const { files, storage } = await testRegistry();
    const { file } = await files.presign('acme', { ...FILE, bytes: 4 });
    await storage.blobs.create(fileKeys('acme', file.id).content, 'abcd');
    await files.remove('acme', file.id);
    expect(await all(storage.list('tenants/'))).toEqual([]);
  });
});
