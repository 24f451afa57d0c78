import { describe, expect, it } from 'vitest';
import { manualClock, steadyClock, systemClock } from './index.ts';

describe('a manual clock', () => {
  it('fires what comes due, in order, at the moment it was due', () => {
    const clock = manualClock(1000);
    const fired: [string, number][] = [];
    const note = (name: string) => () => fired.push([name, clock.now()]);
    clock.after(30, note('late'));
    clock.after(10, () => {
      note('early')();
      clock.after(5, note('of early'));
    });
    clock.after(31, note('not yet'));
    clock.advance(30);
    expect(fired).toEqual([
      ['early', 1010],
      ['of early', 1015],
      ['late', 1030],
    ]);
    expect([clock.now(), clock.pending]).toEqual([1030, 1]);
  });

  it('forgets a timer that is cancelled', () => {
    const clock = manualClock();
    const cancel = clock.after(1, () => expect.unreachable());
    cancel();
    clock.advance(10);
    expect(clock.pending).toBe(0);
  });
});

describe.each([
  ['system', systemClock, () => Date.now()],
  ['steady', steadyClock, () => performance.now()],
])('the %s clock', (_, clock, time) => {
  it('tells its time, and fires unless cancelled', async () => {
    const before = time();
    let cancelled = true;
    clock.after(0, () => {
      cancelled = false;
    })();
    await new Promise<void>((done) => clock.after(5, done));
    expect(clock.now()).toBeGreaterThanOrEqual(before + 4);
    expect(clock.now()).toBeLessThanOrEqual(time());
    expect(cancelled).toBe(true);
  });

  it('does not fire at once what is due in months', async () => {
    let fired = false;
    const cancel = clock.after(2 ** 40, () => {
      fired = true;
    });
    await new Promise<void>((done) => clock.after(20, done));
    cancel();
    expect(fired).toBe(false);
  });
});
