import { describe, expect, it } from 'vitest';
import { Outbox } from './outbox.ts';

/** An outbox whose writes end when told, on a clock that is set by hand. */
function slowOutbox() {
  const written: string[] = [];
  const pending: PromiseWithResolvers<void>[] = [];
  const errors: unknown[] = [];
  const clock = { ms: 0 };
  const outbox = new Outbox({
    now: () => clock.ms,
    retryMs: 0,
    onError: (error) => errors.push(error),
  });
  const write = (text: string) => async () => {
    const end = Promise.withResolvers<void>();
    pending.push(end);
    await end.promise;
    written.push(text);
  };
  const next = async () => {
    while (pending.length === 0) await new Promise(setImmediate);
    return pending.shift()!;
  };
  return { outbox, write, written, errors, clock, next };
}

describe('Outbox', () => {
  it('keeps the order, one write at a time, and never waits', async () => {
    const { outbox, write, written, next } = slowOutbox();
    for (const text of ['a', 'b', 'c']) outbox.add(write(text));
    expect(written).toEqual([]);
    for (let i = 0; i < 3; i++) (await next()).resolve();
    await outbox.flush();
    expect(written).toEqual(['a', 'b', 'c']);
  });

  it('thins out frequent writes by time, and keeps only the latest while the store is slow', async () => {
    const { outbox, write, written, clock, next } = slowOutbox();
    outbox.add(write('start'));
    for (let step = 1; step <= 5000; step++) {
      clock.ms = step;
      outbox.addFrequent(write(`step ${step}`));
    }
    outbox.add(write('evaluated'));
    clock.ms = 6001;
    outbox.addFrequent(write('step 6000'));
    const flushed = outbox.flush();
    for (let i = 0; i < 4; i++) (await next()).resolve();
    await flushed;
    expect(written).toEqual(['start', 'step 4001', 'evaluated', 'step 6000']);
  });

  it('tries again in order, and gives up one write rather than the ones after it', async () => {
    const { outbox, write, written, errors, next } = slowOutbox();
    for (const text of ['a', 'b', 'c']) outbox.add(write(text));
    (await next()).reject(new Error('once'));
    (await next()).resolve();
    for (let i = 0; i < 5; i++) (await next()).reject(new Error('for good'));
    (await next()).resolve();
    await outbox.flush();
    expect(written).toEqual(['a', 'c']);
    expect(errors).toHaveLength(6);
  });

  it('writes nothing more once stopped', async () => {
    const { outbox, write, written, errors, next } = slowOutbox();
    outbox.add(write('a'));
    outbox.add(write('b'));
    outbox.stop();
    outbox.add(write('c'));
    (await next()).reject(new Error('lost'));
    await outbox.flush();
    expect(written).toEqual([]);
    expect(errors).toEqual([]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'writes what is added %i turns after the end of the last write',
    async (turns) => {
      const { outbox } = slowOutbox();
      const { promise: last, resolve: end } = Promise.withResolvers<void>();
      outbox.add(() => last);
      let added = false;
      let written = false;
      const adding = (async () => {
        await last;
        for (let turn = 0; turn < turns; turn++) await undefined;
        outbox.add(async () => {
          written = true;
        });
        added = true;
      })();
      end();
      await adding;
      await outbox.flush();
      expect([added, written]).toEqual([true, true]);
    },
  );
});
