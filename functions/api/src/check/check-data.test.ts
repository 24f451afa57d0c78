import { describe, expect, it } from 'vitest';
import { DataChecks } from './check-data.ts';

describe('DataChecks', () => {
  const bytes = new TextEncoder().encode('{"text": "x", "label": "a"}\n');
  const data = { task: 'text-classification', reading: {}, name: 'data.jsonl', bytes } as const;
  const { signal } = new AbortController();

  it('refuses a tenant who has two under way, and leaves room for another', async () => {
    const checks = new DataChecks();
    const start = (tenant: string) => checks.check(tenant, data, signal);
    const started = [start('acme'), start('acme')];
    expect(checks.isBusy('acme')).toBe(true);
    await expect(start('acme')).rejects.toMatchObject({ status: 429, code: 'overloaded' });
    started.push(start('other'));
    await expect(start('third')).rejects.toMatchObject({ code: 'overloaded' });
    for (const report of await Promise.all(started)) expect(report.examples).toBe(1);
    expect(checks.isBusy('acme')).toBe(false);
    expect((await start('third')).examples).toBe(1);
  });

  it('gives the place of a check back that its caller has left', async () => {
    const checks = new DataChecks();
    const left = new AbortController();
    const started = [1, 2].map(() => checks.check('acme', data, left.signal));
    left.abort(new Error('gone'));
    for (const result of await Promise.allSettled(started)) expect(result.status).toBe('rejected');
    expect((await checks.check('acme', data, signal)).examples).toBe(1);
  });
});
