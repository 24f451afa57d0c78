import { manualClock } from '@polyprompt/clock';
import type { Document, Documents } from '@polyprompt/storage';
import { describe, expect, it } from 'vitest';
import { FreshCache } from './fresh-cache.ts';

/** The store's side, answering when told. */
function store() {
  const documents = new Map<string, Document<string>>();
  const waiting: (() => void)[] = [];
  let reads = 0;
  let held = false;
  const answer = async (key: string) => {
    reads++;
    const document = documents.get(key);
    if (held) await new Promise<void>((resolve) => waiting.push(resolve));
    return document;
  };
  return {
    set(key: string, value: string, revision: number) {
      const document = { key, value, revision, etag: `"${revision}"` };
      documents.set(key, document);
      return document;
    },
    hold: () => {
      held = true;
    },
    answerAll: () => {
      held = false;
      for (const resolve of waiting.splice(0)) resolve();
    },
    get reads() {
      return reads;
    },
    documents: {
      read: answer,
      refresh: ({ key }: Document<string>) => answer(key),
    } as unknown as Documents<string>,
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('a cached document', () => {
  it('is re-read by the request that needs it where nothing may run in between', async () => {
    const clock = manualClock();
    const s = store();
    const cache = new FreshCache(s.documents, clock, { readAhead: false });
    s.set('k', 'old', 1);
    await cache.read('k');
    s.set('k', 'new', 2);
    await clock.advance(900);
    expect(await cache.read('k')).toBe('old');
    await settle();
    expect(s.reads).toBe(1);
    await clock.advance(200);
    expect(await cache.read('k')).toBe('new');
    expect(s.reads).toBe(2);
  });

  it('is read once however many wait for it', async () => {
    const s = store();
    s.set('k', 'v', 1);
    const cache = new FreshCache(s.documents, manualClock());
    expect(await Promise.all([cache.read('k'), cache.read('k'), cache.read('k')])).toEqual([
      'v',
      'v',
      'v',
    ]);
    expect(s.reads).toBe(1);
    expect(await cache.read('none')).toBeUndefined();
  });

  it('is served without waiting, re-read behind the scenes, and never older than a second', async () => {
    const clock = manualClock();
    const s = store();
    const cache = new FreshCache(s.documents, clock);
    s.set('k', 'old', 1);
    await cache.read('k');
    s.set('k', 'new', 2);
    clock.advance(299);
    expect([await cache.read('k'), s.reads]).toEqual(['old', 1]);
    clock.advance(1);
    s.hold();
    expect([await cache.read('k'), s.reads]).toEqual(['old', 2]);
    s.answerAll();
    await settle();
    expect([await cache.read('k'), s.reads]).toEqual(['new', 2]);
    s.set('k', 'newest', 3);
    clock.advance(1000);
    expect([await cache.read('k'), s.reads]).toEqual(['newest', 3]);
  });

  it('that was just written here is not replaced by a read that was under way', async () => {
    const clock = manualClock();
    const s = store();
    const cache = new FreshCache(s.documents, clock);
    s.set('k', 'old', 1);
    s.hold();
    const read = cache.read('k');
    cache.put(s.set('k', 'mine', 2));
    s.answerAll();
    expect([await read, await cache.read('k')]).toEqual(['mine', 'mine']);
  });

  it('is read again when the clock was set back', async () => {
    let now = 5000;
    const s = store();
    const cache = new FreshCache(s.documents, { now: () => now, after: () => () => undefined });
    s.set('k', 'old', 1);
    await cache.read('k');
    s.set('k', 'new', 2);
    now = 0;
    expect(await cache.read('k')).toBe('new');
  });

  it('gives way to others when there are too many, the one not used for longest first', async () => {
    const s = store();
    const cache = new FreshCache(s.documents, manualClock(), { capacity: 2 });
    for (const key of ['a', 'b']) s.set(key, key, 1);
    await cache.read('a');
    await cache.read('b');
    await cache.read('a');
    s.set('c', 'c', 1);
    await cache.read('c');
    const before = s.reads;
    await cache.read('a');
    expect(s.reads).toBe(before);
    await cache.read('b');
    expect(s.reads).toBe(before + 1);
  });
});
