import { manualClock } from '@polyprompt/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batcher, type SubmitOptions } from './batcher.ts';

interface Row {
  readonly id: string;
  readonly tokens: number;
}

const limits = { batchRows: 4, batchTokens: 100, batchPadding: 0.25, batchBytes: 1e9 };

/** A batcher whose batches end when told. */
function setUp({ workers = 1 } = {}) {
  const clock = manualClock();
  const batches: { ids: string[]; finish: () => void; fail: (error: Error) => void }[] = [];
  const batcher = new Batcher<Row, string>({
    workers,
    limits,
    clock,
    run: (rows) =>
      new Promise((resolve, reject) => {
        const ids = rows.map(({ id }) => id);
        batches.push({ ids, finish: () => resolve(ids.map((id) => `<${id}>`)), fail: reject });
      }),
  });
  const submit = (ids: string, options: Partial<SubmitOptions> & { tokens?: number } = {}) => {
    const rows = ids.split(' ').map((id) => ({ id, tokens: options.tokens ?? 10 }));
    const result = batcher.submit(rows, { tenant: 'a', ...options });
    // Rejections are looked at later than they happen.
    result.catch(() => {});
    return result;
  };
  return { clock, batches, batcher, submit };
}

/** Lets everything that can happen now happen. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Ends batch after batch until there is none left; returns what they held. */
async function runAll(batches: ReturnType<typeof setUp>['batches']): Promise<string[][]> {
  for (let i = 0; ; i++) {
    await settle();
    if (i === batches.length) return batches.map(({ ids }) => ids);
    batches[i]!.finish();
  }
}

describe('Batcher', () => {
  it('runs what is there at once when idle, and what came meanwhile together', async () => {
    const { batches, submit } = setUp();
    submit('1');
    await settle();
    expect(batches.map(({ ids }) => ids)).toEqual([['1']]);
    submit('2');
    submit('3', { tenant: 'b' });
    submit('4');
    expect(await runAll(batches)).toEqual([['1'], ['2', '3', '4']]);
  });

  it('batches requests that come in the same turn', async () => {
    const { batches, submit } = setUp();
    submit('1');
    submit('2');
    await settle();
    expect(batches.map(({ ids }) => ids)).toEqual([['1', '2']]);
  });

  it('keeps every worker busy, none with two batches', async () => {
    const { batches, batcher, submit } = setUp({ workers: 2 });
    submit('1 2 3 4 5 6 7 8 9');
    await settle();
    expect(batches).toHaveLength(2);
    batches[1]!.finish();
    await settle();
    expect(batches).toHaveLength(3);
    expect(batcher.stats()).toMatchObject({ runningBatches: 2, waitingRows: 0 });
  });

  it('gives results in the order of the rows, whatever the batches', async () => {
    const { batches, batcher } = setUp();
    const lengths = fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(lengths, async (all) => {
        batches.length = 0;
        const rows = all.map((tokens, i) => ({ id: String(i), tokens }));
        const result = batcher.submit(rows, { tenant: 'a' });
        await runAll(batches);
        expect((await result).results).toEqual(rows.map(({ id }) => `<${id}>`));
      }),
      { numRuns: 30 },
    );
    expect(batcher.stats()).toMatchObject({ waitingRows: 0, runningBatches: 0 });
  });

  it('says how long rows waited and ran', async () => {
    const { clock, batches, submit } = setUp();
    submit('1');
    await settle();
    const second = submit('2');
    clock.advance(30);
    batches[0]!.finish();
    await settle();
    clock.advance(7);
    batches[1]!.finish();
    expect(await second).toEqual({ results: ['<2>'], queueMs: 30, inferenceMs: 7 });
  });

  it('lets no burst of one tenant starve another', async () => {
    const { batches, submit } = setUp();
    const burst = Array.from({ length: 1000 }, (_, i) => `a${i}`).join(' ');
    submit(burst);
    await settle();
    submit('b0 b1 b2 b3 b4 b5', { tenant: 'b' });
    submit('c0', { tenant: 'c' });
    const all = await runAll(batches);
    expect(all.slice(1, 4).map((ids) => ids.toSorted())).toEqual([
      ['a4', 'a5', 'b0', 'c0'],
      ['a6', 'a7', 'b1', 'b2'],
      ['a8', 'a9', 'b3', 'b4'],
    ]);
    expect(all.flat()).toHaveLength(1007);
  });

  it('lets no length starve: the oldest row of the next tenant always goes', async () => {
    const { batches, submit } = setUp();
    submit('first');
    await settle();
    submit('short1 short2 short3 short4', { tokens: 10 });
    submit('long', { tenant: 'b', tokens: 90 });
    submit('short5 short6 short7 short8', { tokens: 10 });
    const all = await runAll(batches);
    expect(all[2]).toEqual(['long']);
    expect(all).toHaveLength(4);
  });

  it('lets no length starve within a tenant, though its later rows are served', async () => {
    const { batches, submit } = setUp();
    submit('first');
    await settle();
    submit('a');
    submit('odd', { tenant: 'b', tokens: 90 });
    for (let i = 0; i < 20; i++) {
      submit(`a${i}`);
      submit(`b${i}`, { tenant: 'b' });
    }
    const all = await runAll(batches);
    expect(all.findIndex((ids) => ids.includes('odd'))).toBe(2);
  });

  it('never computes a request whose client left', async () => {
    const { batches, batcher, submit } = setUp();
    const controller = new AbortController();
    submit('1');
    await settle();
    const gone = submit('2 3', { signal: controller.signal });
    submit('4');
    controller.abort(new Error('left'));
    await expect(gone).rejects.toThrow('left');
    expect(batcher.stats().waitingRows).toBe(1);
    expect(await runAll(batches)).toEqual([['1'], ['4']]);
    const late = batcher.submit([{ id: '5', tokens: 1 }], {
      tenant: 'a',
      signal: controller.signal,
    });
    await expect(late).rejects.toThrow('left');
    expect(await runAll(batches)).toHaveLength(2);
  });

  it('gives up a request in the middle: its running batch ends, the rest never begins', async () => {
    const { batches, submit } = setUp();
    const controller = new AbortController();
    const gone = submit('1 2 3 4 5 6', { signal: controller.signal });
    await settle();
    controller.abort(new Error('left'));
    await expect(gone).rejects.toThrow('left');
    const next = submit('7');
    expect(await runAll(batches)).toEqual([['1', '2', '3', '4'], ['7']]);
    expect((await next).results).toEqual(['<7>']);
  });

  it('fails the requests of a failed batch, and no others', async () => {
    const { batches, submit } = setUp();
    const failed = submit('1 2 3 4 5 6');
    const other = submit('7', { tenant: 'b', tokens: 90 });
    await settle();
    batches[0]!.fail(new Error('broken'));
    await expect(failed).rejects.toThrow('broken');
    await runAll(batches);
    expect(batches.map(({ ids }) => ids)).toEqual([['1', '2', '3', '4'], ['7']]);
    expect((await other).results).toEqual(['<7>']);
  });

  it('rejects what waits, telling requests apart that have begun', async () => {
    const { batches, batcher, submit } = setUp();
    const begun = submit('1 2 3 4 5');
    const waiting = submit('6', { tenant: 'b', tokens: 90 });
    await settle();
    batcher.rejectWaiting((hasBegun) => new Error(hasBegun ? 'begun' : 'not begun'));
    await expect(begun).rejects.toThrow(/^begun/);
    await expect(waiting).rejects.toThrow('not begun');
    expect(await runAll(batches)).toHaveLength(1);
  });

  it('counts batches, rows, tokens and padding', async () => {
    const { batches, batcher } = setUp();
    batcher.submit(
      [10, 9, 8].map((tokens) => ({ id: String(tokens), tokens })),
      { tenant: 'a' },
    );
    await runAll(batches);
    expect(batcher.stats()).toMatchObject({ batches: 1, rows: 3, tokens: 27, paddingTokens: 3 });
  });

  it('answers no rows with no results', async () => {
    const { batcher, batches } = setUp();
    expect((await batcher.submit([], { tenant: 'a' })).results).toEqual([]);
    expect(batches).toHaveLength(0);
  });
});
