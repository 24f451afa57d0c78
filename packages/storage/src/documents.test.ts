import { PutObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Context } from './context.ts';
import { Documents } from './documents.ts';
import { ROUGH, testStorage } from './test-storage.ts';

const Counter = z.object({ count: z.int() });
const increment = ({ count }: { count: number }) => ({ count: count + 1 });

describe('a document', () => {
  it('is created once, read, changed and removed', async () => {
    const storage = await testStorage();
    const counters = storage.documents(Counter);
    expect(await counters.read('c')).toBeUndefined();
    const created = await counters.create('c', { count: 1 });
    expect(created).toMatchObject({ value: { count: 1 }, revision: 1 });
    await expect(counters.create('c', { count: 9 })).rejects.toMatchObject({
      code: 'exists',
      key: 'c',
    });
    const updated = await counters.update('c', increment);
    expect(updated).toMatchObject({ value: { count: 2 }, revision: 2 });
    expect(await counters.read('c')).toEqual(updated);
    await expect(counters.remove(created)).rejects.toMatchObject({ code: 'conflict' });
    await counters.remove(updated);
    await counters.remove(updated);
    expect(await counters.read('c')).toBeUndefined();
    await expect(counters.update('c', increment)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is made by upsert when it is missing', async () => {
    const { documents } = await testStorage();
    const add = (value?: { count: number }) => ({ count: (value?.count ?? 0) + 1 });
    await documents(Counter).upsert('c', add);
    expect(await documents(Counter).upsert('c', add)).toMatchObject({
      value: { count: 2 },
      revision: 2,
    });
  });

  it('is left alone when the change returns nothing or throws', async () => {
    const { documents } = await testStorage();
    const counters = documents(Counter);
    const created = await counters.create('c', { count: 1 });
    expect(await counters.update('c', () => undefined)).toEqual(created);
    await expect(
      counters.update('c', () => {
        throw new Error('not allowed');
      }),
    ).rejects.toThrow('not allowed');
    expect(await counters.read('c')).toEqual(created);
  });

  it('is refreshed only when it has changed', async () => {
    const { documents } = await testStorage();
    const counters = documents(Counter);
    const created = await counters.create('c', { count: 1 });
    expect(await counters.refresh(created)).toBe(created);
    const updated = await counters.update('c', increment);
    expect(await counters.refresh(created)).toEqual(updated);
    await counters.remove(updated);
    expect(await counters.refresh(updated)).toBeUndefined();
  });

  it('never has an old state again: the same value twice has another ETag', async () => {
    const { documents } = await testStorage();
    const counters = documents(Counter);
    const first = await counters.create('c', { count: 1 });
    const second = await counters.update('c', ({ count }) => ({ count }));
    expect(second.value).toEqual(first.value);
    await expect(counters.remove(first)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('must have the form of its schema, stored or new', async () => {
    const storage = await testStorage();
    const counters = storage.documents(Counter);
    await storage.documents(z.object({ count: z.string() })).create('text', { count: 'one' });
    await expect(counters.read('text')).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('count'),
    });
    await storage.blobs.put('foreign', '{"count": 1}');
    await expect(counters.read('foreign')).rejects.toMatchObject({ code: 'corrupt' });
    await expect(counters.create('c', { count: 0.5 })).rejects.toThrow();
    expect(await counters.read('c')).toBeUndefined();
  });
});

describe('a write whose answer was lost', () => {
  it.each(['resetAfterCommit', 'errorAfterCommit'] as const)(
    'is recognised as done (%s)',
    async (fault) => {
      const { documents, faults } = await testStorage();
      const counters = documents(Counter);
      faults.script(fault, { operation: 'PutObject' });
      await counters.create('c', { count: 1 });
      faults.script(fault, { operation: 'PutObject' });
      expect(await counters.update('c', increment)).toMatchObject({
        value: { count: 2 },
        revision: 2,
      });
      expect(await counters.read('c')).toMatchObject({ value: { count: 2 }, revision: 2 });
      const last = await counters.update('c', increment);
      faults.script(fault, { operation: 'DeleteObject' });
      await counters.remove(last);
      expect(faults.counts[fault]).toBe(3);
    },
  );

  it('is recognised although others have written on top, and is not done twice', async () => {
    const { context, documents } = await testStorage();
    const others = documents(Counter);
    await others.create('c', { count: 0 });
    const mine = new Documents(
      loseFirstAnswer(context, () =>
        others.update('c', increment).then(() => others.update('c', increment)),
      ),
      Counter,
    );
    const written = await mine.update('c', increment);
    expect(written).toMatchObject({ value: { count: 1 }, revision: 2 });
    expect(await others.read('c')).toMatchObject({ value: { count: 3 }, revision: 4 });
    await expect(mine.remove(written)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('has an unknown outcome when too many others have written on top', async () => {
    const { context, documents } = await testStorage();
    const others = documents(Counter);
    await others.create('c', { count: 0 });
    const mine = new Documents(
      loseFirstAnswer(context, async () => {
        for (let i = 0; i < 32; i++) await others.update('c', increment);
      }),
      Counter,
    );
    await expect(mine.update('c', increment)).rejects.toMatchObject({ code: 'unknown_outcome' });
  });

  /** The first put takes effect, `meanwhile` happens, and the retry is refused: what a lost answer looks like. */
  function loseFirstAnswer(context: Context, meanwhile: () => Promise<unknown>): Context {
    let lost = false;
    const send = async (command: PutObjectCommand) => {
      const answer = await context.s3.send(command);
      if (lost || !(command instanceof PutObjectCommand)) return answer;
      lost = true;
      await meanwhile();
      return context.s3.send(command);
    };
    return { ...context, s3: { send } as unknown as Context['s3'] };
  }
});

describe('with 5 % of all calls failing in each way', () => {
  it('racing increments are all counted, each once', async () => {
    const storage = await testStorage({ seed: 11 });
    await storage.documents(Counter).create('c', { count: 0 });
    storage.faults.set(ROUGH);
    // Chance alone may spare one of them.
    for (const fault of ['conflict', 'resetAfterCommit', 'errorAfterCommit'] as const) {
      storage.faults.script(fault, { operation: 'PutObject' });
    }
    const writers = [storage, storage, storage.another(), storage.another(), storage.another()];
    // Fewer than a document remembers: a retry may come as late as it likes.
    await Promise.all(
      writers.map(async ({ documents }) => {
        for (let i = 0; i < 6; i++) await documents(Counter).update('c', increment);
      }),
    );
    storage.faults.clear();
    expect(await storage.documents(Counter).read('c')).toMatchObject({
      value: { count: 30 },
      revision: 31,
    });
    if (!storage.hasFaults) return;
    expect(storage.faults.counts).toMatchObject({
      conflict: expect.any(Number),
      resetAfterCommit: expect.any(Number),
      errorAfterCommit: expect.any(Number),
    });
  });

  it('a create race has one winner, and it is the one whose value is stored', async () => {
    const storage = await testStorage({ seed: 12 });
    storage.faults.set(ROUGH);
    for (const key of ['a', 'b', 'c']) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 12 }, (_, count) => storage.documents(Counter).create(key, { count })),
      );
      const winners = outcomes.flatMap((outcome) =>
        outcome.status === 'fulfilled' ? [outcome.value.value] : [],
      );
      const losers = outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [outcome.reason.code] : [],
      );
      expect(losers).toEqual(Array(11).fill('exists'));
      expect((await storage.documents(Counter).read(key))?.value).toEqual(winners[0]);
    }
  });
});
