import { manualClock } from '@polyprompt/clock';
import type { SweepOptions } from '@polyprompt/registry';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { startSweeper } from './sweeper.ts';

const MINUTE = 60_000;
const NOTHING = {
  tenants: 3,
  files: 0,
  uploads: 0,
  states: 0,
  requests: 0,
  reminded: 0,
  complete: true,
};

function sweeper(everyMs: number, sweep: (options: SweepOptions) => typeof NOTHING) {
  const clock = manualClock();
  const log: string[] = [];
  const asked: SweepOptions[] = [];
  const registry = {
    sweep: async (options: SweepOptions = {}) => {
      asked.push(options);
      return sweep(options);
    },
  };
  const logger = pino({}, { write: (line: string) => log.push(line) });
  return { clock, log, asked, ...startSweeper({ registry, everyMs, logger, clock }) };
}
/** Lets a sweep that was begun end. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the sweeper', () => {
  it('sweeps soon after the start and then once per interval, until it is stopped', async () => {
    const { clock, asked, log, stop } = sweeper(60 * MINUTE, () => NOTHING);
    clock.advance(MINUTE);
    await settled();
    expect(asked).toMatchObject([{ everyMs: 60 * MINUTE }]);
    clock.advance(59 * MINUTE);
    await settled();
    expect(asked).toHaveLength(1);
    clock.advance(MINUTE);
    await settled();
    expect(asked).toHaveLength(2);
    expect(log).toEqual([]);
    await stop();
    expect(asked[0]?.signal?.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('says what it did, and goes on after a failure', async () => {
    let fails = true;
    const { clock, log, stop } = sweeper(MINUTE, ({ onError }) => {
      if (fails) throw new Error('the store is down');
      onError?.(new Error('damaged'), 'acme');
      return { ...NOTHING, files: 2 };
    });
    clock.advance(MINUTE);
    await settled();
    fails = false;
    clock.advance(MINUTE);
    await settled();
    expect(log.map((line) => JSON.parse(line).msg)).toEqual([
      'the store could not be swept',
      'a part of the store could not be swept',
      'store swept',
    ]);
    expect(JSON.parse(log[2]!)).toMatchObject({ files: 2 });
    await stop();
  });

  it('never sweeps with an interval of 0', async () => {
    const { clock, stop } = sweeper(0, () => NOTHING);
    expect(clock.pending).toBe(0);
    await stop();
  });
});
