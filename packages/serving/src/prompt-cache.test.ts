import { manualClock } from '@polyprompt/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PromptCache } from './prompt-cache.ts';

interface Value {
  readonly key: string;
  readonly bytes: number;
}

function setUp({ maxBytes = 30, place = (bytes: number, key: string) => ({ key, bytes }) } = {}) {
  const clock = manualClock();
  const loads: string[] = [];
  const disposed: string[] = [];
  let answer: (key: string) => Promise<number | undefined> = async () => 10;
  const cache = new PromptCache<number, Value>({
    load: (key) => {
      loads.push(key);
      return answer(key);
    },
    place,
    dispose: ({ key }) => disposed.push(key),
    maxBytes,
    loadMs: 1000,
    clock,
  });
  /** Acquires and releases. */
  const use = async (keys: string) => {
    for (const key of keys) (await cache.acquire(key)).release();
  };
  return {
    clock,
    cache,
    loads,
    disposed,
    use,
    answerWith: (next: typeof answer) => (answer = next),
  };
}

describe('PromptCache', () => {
  it('drops the least recently used when the bytes run out', async () => {
    const { cache, disposed, use, loads } = setUp();
    await use('abcad');
    expect(disposed).toEqual(['b']);
    expect(cache.stats()).toEqual({
      entries: 3,
      bytes: 30,
      pinnedBytes: 0,
      hits: 1,
      misses: 4,
      loads: 4,
      failures: 0,
      evictions: 1,
    });
    await use('b');
    expect(loads.join('')).toBe('abcdb');
  });

  it('never drops what is in use, and is back within its limit afterwards', async () => {
    const { cache, disposed } = setUp();
    const leases = [];
    for (const key of 'abcde') leases.push(await cache.acquire(key));
    expect(disposed).toEqual([]);
    expect(cache.stats()).toMatchObject({ bytes: 50, pinnedBytes: 50 });
    leases[1]!.release();
    leases[1]!.release();
    expect(disposed).toEqual(['b']);
    leases[0]!.release();
    leases[2]!.release();
    expect(disposed).toEqual(['b', 'a']);
    expect(cache.stats()).toMatchObject({ bytes: 30, pinnedBytes: 20 });
  });

  it('serves a prompt larger than the whole cache, and does not keep it', async () => {
    const { cache, disposed, answerWith } = setUp();
    answerWith(async () => 99);
    const lease = await cache.acquire('huge');
    expect(lease.value.bytes).toBe(99);
    lease.release();
    expect(disposed).toEqual(['huge']);
    expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
  });

  it('loads once however many wait', async () => {
    const { cache, loads } = setUp();
    const leases = await Promise.all(Array.from({ length: 50 }, () => cache.acquire('a')));
    expect(loads).toEqual(['a']);
    expect(new Set(leases.map(({ value }) => value)).size).toBe(1);
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 50, loads: 1 });
  });

  it('tells all who wait of a failure, and tries again for the next', async () => {
    const { cache, loads, answerWith } = setUp();
    answerWith(() => Promise.reject(new Error('no network')));
    const results = await Promise.allSettled([cache.acquire('a'), cache.acquire('a')]);
    for (const result of results) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'prompt_unavailable', cause: { message: 'no network' } },
      });
    }
    answerWith(async () => 10);
    expect((await cache.acquire('a')).value.key).toBe('a');
    expect(loads).toEqual(['a', 'a']);
    expect(cache.stats().failures).toBe(1);
  });

  it('knows a prompt that does not exist from one that cannot be had', async () => {
    const { cache, answerWith } = setUp();
    answerWith(async () => undefined);
    await expect(cache.acquire('a')).rejects.toMatchObject({
      code: 'prompt_not_found',
      message: 'there is no prompt "a"',
    });
    answerWith(() => {
      throw new TypeError('thrown, not rejected');
    });
    await expect(cache.acquire('a')).rejects.toMatchObject({ code: 'prompt_unavailable' });
  });

  it('reports what cannot be placed and does not keep it', async () => {
    const place = () => {
      throw new RangeError('does not fit');
    };
    const { cache } = setUp({ place });
    await expect(cache.acquire('a')).rejects.toThrow('does not fit');
    expect(cache.stats()).toMatchObject({ entries: 0, failures: 1 });
  });

  it('gives up a load that takes too long; what it brings later is ignored', async () => {
    const { cache, clock, loads, answerWith } = setUp();
    const slow = Promise.withResolvers<number>();
    answerWith(() => slow.promise);
    const waiting = cache.acquire('a');
    clock.advance(1000);
    await expect(waiting).rejects.toThrow('did not load within 1000 ms');
    slow.resolve(10);
    await slow.promise;
    expect(cache.stats().entries).toBe(0);
    answerWith(async () => 10);
    await cache.acquire('a');
    expect(loads).toEqual(['a', 'a']);
    expect(clock.pending).toBe(0);
  });

  it('lets one who waits leave; the others get the prompt, unpinned by the one who left', async () => {
    const { cache, answerWith } = setUp();
    const slow = Promise.withResolvers<number>();
    answerWith(() => slow.promise);
    const controller = new AbortController();
    const gone = cache.acquire('a', controller.signal);
    const stays = cache.acquire('a');
    controller.abort(new Error('left'));
    await expect(gone).rejects.toThrow('left');
    await expect(cache.acquire('a', controller.signal)).rejects.toThrow('left');
    slow.resolve(10);
    (await stays).release();
    expect(cache.stats()).toMatchObject({ bytes: 10, pinnedBytes: 0 });
  });

  it('clears: what is in use lives until released, and its lease knows that it is stale', async () => {
    const { cache, disposed, loads } = setUp();
    const held = await cache.acquire('a');
    (await cache.acquire('b')).release();
    expect(held.stale).toBe(false);
    cache.clear();
    expect(disposed).toEqual(['b']);
    expect(held.stale).toBe(true);
    const fresh = await cache.acquire('a');
    expect(loads).toEqual(['a', 'b', 'a']);
    held.release();
    expect(disposed).toEqual(['b', 'a']);
    expect(fresh.stale).toBe(false);
    expect(cache.stats()).toMatchObject({ entries: 1, bytes: 10, pinnedBytes: 10 });
  });

  it('stays within its bytes, pins and books under any sequence of uses', async () => {
    const step = fc.record({ key: fc.constantFrom(...'abcdefgh'), hold: fc.nat(4) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { cache, disposed, loads, answerWith } = setUp();
        answerWith(async (key) => key.charCodeAt(0) - 96);
        const held: { until: number; release: () => void; key: string }[] = [];
        for (const [i, { key, hold }] of steps.entries()) {
          const lease = await cache.acquire(key);
          expect(lease.value.key).toBe(key);
          held.push({ until: i + hold, key, release: lease.release });
          for (const done of held.splice(0)) {
            if (done.until <= i) done.release();
            else held.push(done);
          }
          const stats = cache.stats();
          expect(stats.bytes).toBeLessThanOrEqual(Math.max(30, stats.pinnedBytes));
          expect(stats.entries).toBe(loads.length - disposed.length);
          expect(stats.evictions).toBe(disposed.length);
        }
      }),
    );
  });
});
