import { describe, expect, it } from 'vitest';
import { EventMirror, type JobEvent } from './event-mirror.ts';
import { message } from './progress.ts';

/** A mirror whose writes end when told, on a clock that is set by hand. */
function slowMirror() {
  const written: string[] = [];
  const pending: PromiseWithResolvers<void>[] = [];
  const errors: unknown[] = [];
  const clock = { ms: 0 };
  const mirror = new EventMirror({
    now: () => clock.ms,
    retryMs: 0,
    onError: (error) => errors.push(error),
    write: async (event: JobEvent) => {
      const end = Promise.withResolvers<void>();
      pending.push(end);
      await end.promise;
      written.push(event.message);
    },
  });
  const next = async () => {
    while (pending.length === 0) await new Promise(setImmediate);
    return pending.shift()!;
  };
  return { mirror, written, errors, clock, next };
}

describe('EventMirror', () => {
  it('keeps the order, one write at a time, and never waits', async () => {
    const { mirror, written, next } = slowMirror();
    for (const text of ['a', 'b', 'c']) mirror.add(message(text));
    expect(written).toEqual([]);
    for (let i = 0; i < 3; i++) (await next()).resolve();
    await mirror.flush();
    expect(written).toEqual(['a', 'b', 'c']);
  });

  it('thins out steps by time, and keeps only the latest while the store is slow', async () => {
    const { mirror, written, clock, next } = slowMirror();
    mirror.add(message('start'));
    for (let step = 1; step <= 5000; step++) {
      clock.ms = step;
      mirror.addStep(message(`step ${step}`));
    }
    mirror.add(message('evaluated'));
    clock.ms = 6001;
    mirror.addStep(message('step 6000'));
    const flushed = mirror.flush();
    for (let i = 0; i < 4; i++) (await next()).resolve();
    await flushed;
    expect(written).toEqual(['start', 'step 4001', 'evaluated', 'step 6000']);
  });

  it('tries again in order, and gives up an event rather than the ones after it', async () => {
    const { mirror, written, errors, next } = slowMirror();
    mirror.add(message('a'));
    mirror.add(message('b'));
    (await next()).reject(new Error('once'));
    (await next()).resolve();
    for (let i = 0; i < 5; i++) (await next()).reject(new Error('for good'));
    await mirror.flush();
    expect(written).toEqual(['a']);
    expect(errors).toHaveLength(6);
  });

  it('writes nothing more once stopped', async () => {
    const { mirror, written, next } = slowMirror();
    mirror.add(message('a'));
    mirror.add(message('b'));
    mirror.stop();
    mirror.add(message('c'));
    (await next()).reject(new Error('lost'));
    await mirror.flush();
    expect(written).toEqual([]);
  });
});
