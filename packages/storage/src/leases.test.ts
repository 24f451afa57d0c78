import { manualClock } from '@polyprompt/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Lease } from './leases.ts';
import { ROUGH, settled, testStorage } from './test-storage.ts';

const TTL = 30_000;
const SKEW = 2000;

describe('a lease', () => {
  it('has one holder; the next gets a higher fence when it is released', async () => {
    const storage = await testStorage();
    const first = await storage.leases.acquire('lease');
    expect(await storage.another().leases.acquire('lease')).toBeUndefined();
    expect(await storage.leases.acquire('lease')).toBeUndefined();
    expect([first?.held, first?.fence]).toEqual([true, 1]);
    await first?.release();
    expect([first?.held, first?.signal.aborted]).toEqual([false, false]);
    const second = await storage.another().leases.acquire('lease');
    expect(second?.fence).toBe(2);
    await first?.release();
    expect(second?.held).toBe(true);
    await second?.release();
  });

  it('of a silent holder is taken over after it expired, and the holder knows before', async () => {
    const clock = manualClock();
    const { leases } = await testStorage({ clock });
    const silent = await leases.acquire('lease', { heartbeat: false });
    clock.advance(TTL - SKEW - 1);
    expect(silent?.held).toBe(true);
    clock.advance(1);
    expect(silent?.held).toBe(false);
    expect(silent?.signal.reason).toMatchObject({ code: 'lease_lost' });
    clock.advance(2 * SKEW - 1);
    expect(await leases.acquire('lease')).toBeUndefined();
    clock.advance(1);
    const next = await leases.acquire('lease', { heartbeat: false });
    expect(next?.fence).toBe(2);
    await expect(silent?.renew()).rejects.toMatchObject({ code: 'lease_lost' });
    await silent?.release();
    expect(await leases.acquire('lease')).toBeUndefined();
    await next?.release();
  });

  it('lives on by its heartbeat', async () => {
    const clock = manualClock();
    const { leases, faults, another } = await testStorage({ clock });
    const lease = await leases.acquire('lease');
    for (let beat = 0; beat < 9; beat++) {
      faults.script('internalError', { operation: 'GetObject' });
      clock.advance(TTL / 3);
      // The beat is a request: wait until it has set its next timer.
      await settled(clock, 2);
    }
    expect(lease?.held).toBe(true);
    expect(await another().leases.acquire('lease')).toBeUndefined();
    await lease?.release();
    expect(clock.pending).toBe(0);
  });

  it('is lost when its document is gone', async () => {
    const { leases, blobs } = await testStorage();
    const lease = await leases.acquire('lease');
    await blobs.remove('lease');
    await expect(lease?.renew()).rejects.toMatchObject({ code: 'not_found' });
    expect([lease?.held, lease?.signal.aborted]).toEqual([false, true]);
    await lease?.release();
  });

  it('must outlive the clock error twice', async () => {
    const { leases } = await testStorage();
    await expect(leases.acquire('lease', { ttlMs: 4000, maxSkewMs: 2000 })).rejects.toMatchObject({
      code: 'bad_option',
    });
  });
});

describe('with 5 % of all calls failing in each way', () => {
  it('racing acquisitions have one winner', async () => {
    const storage = await testStorage({ seed: 31 });
    storage.faults.set(ROUGH);
    const processes = Array.from({ length: 4 }, () => storage.another());
    for (let round = 1; round <= 4; round++) {
      const taken = await Promise.all(
        [...processes, ...processes].map(({ leases }) =>
          leases.acquire('lease', { heartbeat: false }),
        ),
      );
      const holders = taken.filter((lease) => lease !== undefined);
      expect(holders.map(({ fence }) => fence)).toEqual([round]);
      await holders[0]?.release();
    }
  });

  it('two never hold one lease, whatever they do and however their clocks differ', async () => {
    const clock = manualClock();
    const storage = await testStorage({ clock, seed: 32 });
    const offsets = [0, SKEW, -SKEW, SKEW / 2];
    const processes = offsets.map((offset) =>
      storage.another({ clock: { now: () => clock.now() + offset, after: clock.after } }),
    );
    const who = fc.nat(offsets.length - 1);
    // Waits that end next to where a lease expires for one clock and not yet for another.
    const wait = fc.constantFrom(
      1,
      SKEW - 1,
      SKEW,
      TTL / 2,
      TTL - SKEW - 1,
      TTL - 1,
      TTL,
      TTL + SKEW,
    );
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('acquire' as const), who }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), who: wait }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('renew' as const), who }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), who }) },
    );
    let lastFence = 0;
    const held: (Lease | undefined)[] = [];
    storage.faults.set({ ...ROUGH, slowDown: 0 });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 15 }), async (actions) => {
        for (const { kind, who } of actions) {
          if (kind === 'wait') clock.advance(who);
          else if (kind === 'renew')
            await held[who]?.renew().catch((error) => expect(error.code).toBe('lease_lost'));
          else if (kind === 'release') await held[who]?.release();
          else if (!held[who]?.held) {
            const lease = await processes[who]!.leases.acquire('lease', {
              ttlMs: TTL,
              maxSkewMs: SKEW,
              heartbeat: false,
            });
            if (!lease) continue;
            expect(lease.fence).toBeGreaterThan(lastFence);
            lastFence = lease.fence;
            held[who] = lease;
          }
          expect(held.filter((lease) => lease?.held).length).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 40, seed: 5, endOnFailure: true },
    );
    expect(lastFence).toBeGreaterThan(10);
  });
});
