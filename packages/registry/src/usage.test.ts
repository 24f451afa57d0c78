import { describe, expect, it } from 'vitest';
import { all, ROUGH, testRegistry } from './test-registry.ts';

const DAY = 24 * 3600_000;

describe('usage', () => {
  it('of all replicas adds up, per prompt and day', async () => {
    const { usage, another, clock } = await testRegistry();
    const other = another().usage;
    usage.record('acme', 'topics', { requests: 1, tokens: 10 });
    usage.record('acme', 'topics', { requests: 1, tokens: 5 });
    other.record('acme', 'topics', { requests: 2, tokens: 7 });
    other.record('acme', 'ner', { trainingTokens: 100 });
    await usage.flush();
    await other.flush();
    usage.record('acme', 'topics', { requests: 1 });
    clock.advance(DAY);
    usage.record('acme', 'topics', { requests: 1 });
    expect(await usage.query('acme', { limit: 10 })).toEqual({
      items: [
        { day: '2026-11-21', prompt: 'ner', requests: 0, tokens: 0, trainingTokens: 100 },
        { day: '2026-11-21', prompt: 'topics', requests: 5, tokens: 22, trainingTokens: 0 },
        { day: '2026-11-22', prompt: 'topics', requests: 1, tokens: 0, trainingTokens: 0 },
      ],
      hasMore: false,
    });
  });

  it('is written a few seconds after it was recorded', async () => {
    const { usage, storage, clock } = await testRegistry();
    usage.record('acme', 'topics', { requests: 1 });
    expect(await all(storage.list('tenants/'))).toEqual([]);
    clock.advance(5000);
    await usage.flush();
    expect(await all(storage.list('tenants/acme/usage/2026-11-21/'))).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('is listed by days, prompt and page', async () => {
    const { usage, clock } = await testRegistry();
    for (let day = 0; day < 4; day++) {
      for (const prompt of ['a', 'b', 'constructor']) usage.record('acme', prompt, { requests: 1 });
      clock.advance(DAY);
    }
    const days = async (query: Partial<Parameters<typeof usage.query>[1]>) =>
      (await usage.query('acme', { limit: 100, ...query })).items.map(
        ({ day, prompt }) => `${day.slice(-2)}${prompt[0]}`,
      );
    expect(await days({ from: '2026-11-22', to: '2026-11-23', prompt: 'b' })).toEqual([
      '22b',
      '23b',
    ]);
    const seen = [];
    for (let after: { day: string; prompt: string } | undefined, more = true; more; ) {
      const page = await usage.query('acme', { limit: 5, after });
      seen.push(...page.items);
      after = page.items.at(-1);
      more = page.hasMore;
    }
    expect(seen.map(({ day, prompt }) => `${day.slice(-2)}${prompt[0]}`)).toEqual(await days({}));
    expect(seen).toHaveLength(12);
    await expect(usage.query('acme', { limit: 1, from: 'May' })).rejects.toMatchObject({
      code: 'bad_value',
    });
  });

  it('that could not be written is written later', async () => {
    const { usage, faults } = await testRegistry({ maxAttempts: 1 });
    faults.script('slowDown', { operation: 'GetObject' });
    usage.record('acme', 'topics', { requests: 1 });
    await expect(usage.flush()).rejects.toMatchObject({ code: 'unavailable' });
    usage.record('acme', 'topics', { requests: 1 });
    expect((await usage.query('acme', { limit: 1 })).items[0]?.requests).toBe(2);
  });

  it('is counted once while 5 % of all calls fail in each way', async () => {
    const { usage, faults } = await testRegistry({ seed: 5 });
    faults.set(ROUGH);
    for (let i = 0; i < 10; i++) {
      usage.record('acme', 'topics', { requests: 1 });
      await usage.flush();
    }
    faults.clear();
    expect((await usage.query('acme', { limit: 1 })).items[0]?.requests).toBe(10);
  });
});
