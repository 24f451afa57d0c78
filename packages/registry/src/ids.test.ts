import { manualClock } from '@polyprompt/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ids, isId, timeOfId } from './ids.ts';

describe('ids', () => {
  it('sort newest first, also within a millisecond and when the clock is set back', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1000, max: 100_000 })), (steps) => {
        let now = Date.UTC(2026, 0, 1);
        const random = () => Uint8Array.from({ length: 8 }, () => Math.floor(Math.random() * 256));
        const ids = new Ids({ now: () => now, after: () => () => undefined }, random);
        const made = steps.map((step) => {
          now += step;
          return ids.next('file');
        });
        expect(made.toSorted()).toEqual(made.toReversed());
      }),
    );
  });

  it('have a form that nothing else has', () => {
    const clock = manualClock(Date.UTC(2026, 10, 21));
    const id = new Ids(clock, () => new Uint8Array(8)).next('ftjob');
    expect(isId('ftjob', id)).toBe(true);
    expect(timeOfId('ftjob', id)).toBe(clock.now());
    expect(timeOfId('file', id)).toBeUndefined();
    expect(timeOfId('ftjob', `ftjob-${'z'.repeat(28)}`)).toBeUndefined();
    for (const other of [
      id.replace('ftjob', 'file'),
      `${id}0`,
      id.slice(1),
      'ftjob-../../keys',
      '',
    ])
      expect(isId('ftjob', other)).toBe(false);
  });
});
