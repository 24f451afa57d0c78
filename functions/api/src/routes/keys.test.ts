import { KeyCreated, KeyList, OpenAiError, UsageList } from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { testService } from '../testing/test-service.ts';

const { key, call, ask, registry } = await testService();
const admin = await key('acme', 'admin');

describe('keys', () => {
  const make = (body: object) => ask({ schema: KeyCreated }, admin, 'POST', '/v1/keys', body);

  it('work from when they are made until they are revoked; secrets are shown once', async () => {
    const made = await make({ name: 'app', scopes: ['infer'] });
    expect((await call(made.secret, 'GET', '/v1/models')).status).toBe(200);
    expect((await call(made.secret, 'GET', '/v1/keys')).status).toBe(403);
    const list = await call(admin, 'GET', '/v1/keys');
    const text = await list.text();
    expect(text).not.toContain(made.secret);
    const listed = KeyList.parse(JSON.parse(text)).data.find(({ id }) => id === made.id);
    expect(listed).toMatchObject({ name: 'app', scopes: ['infer'], revoked_at: null });
    const revoked = await call(admin, 'DELETE', `/v1/keys/${made.id}`);
    expect(await revoked.json()).toEqual({ id: made.id, object: 'key', deleted: true });
    const refused = await ask(
      { status: 401, schema: OpenAiError },
      made.secret,
      'GET',
      '/v1/models',
    );
    expect(refused.error.code).toBe('auth.invalid_key');
  });

  it('expire', async () => {
    const made = await make({ name: 'app', scopes: ['infer'], expires_in_seconds: 60 });
    expect(made.expires_at! - made.created_at).toBeGreaterThanOrEqual(59);
    const past = { name: 'old', scopes: ['infer'] as const, expires: Date.now() - 1 };
    const { secret } = await registry.keys.create('acme', past);
    expect((await call(secret, 'GET', '/v1/models')).status).toBe(401);
  });

  it('are listed in pages', async () => {
    for (const name of ['one', 'two']) await make({ name, scopes: ['tune'] });
    const first = await ask({ schema: KeyList }, admin, 'GET', '/v1/keys?limit=1');
    expect(first.data.map(({ name }) => name)).toEqual(['two']);
    const next = `/v1/keys?limit=1&after=${first.last_id}`;
    expect((await ask({ schema: KeyList }, admin, 'GET', next)).data[0]!.name).toBe('one');
  });

  it.each<[object, number, string]>([
    [{ scopes: ['infer'] }, 400, 'name'],
    [{ name: 'x', scopes: [] }, 422, 'scopes'],
    [{ name: 'x', scopes: ['root'] }, 400, 'scopes[0]'],
    [{ name: 'x', scopes: ['infer'], expires_in_seconds: 1 }, 422, 'expires_in_seconds'],
    [{ name: 'x', scopes: ['infer'], tenant: 'other' }, 400, ''],
  ])('%j is refused', async (body, status, param) => {
    const wanted = { status, schema: OpenAiError };
    const { error } = await ask(wanted, admin, 'POST', '/v1/keys', body);
    expect(error.param ?? '').toBe(param);
  });
});

describe('usage', () => {
  it('is listed by day and prompt', async () => {
    registry.usage.record('acme', 'a', { requests: 2, tokens: 30 });
    registry.usage.record('acme', 'b', { trainingTokens: 400 });
    await registry.usage.flush();
    const first = await ask({ schema: UsageList }, admin, 'GET', '/v1/usage?limit=1');
    expect(first.data[0]).toMatchObject({ prompt: 'a', requests: 2, tokens: 30 });
    const next = `/v1/usage?after=${first.last_id}`;
    const rest = await ask({ schema: UsageList }, admin, 'GET', next);
    expect(rest.data).toMatchObject([{ prompt: 'b', training_tokens: 400 }]);
    const other = await ask({ schema: UsageList }, admin, 'GET', '/v1/usage?prompt=b');
    expect(other.data).toHaveLength(1);
    const past = await ask({ schema: UsageList }, admin, 'GET', '/v1/usage?end=2020-01-01');
    expect(past.data).toEqual([]);
    const wanted = { status: 400, schema: OpenAiError };
    const { error } = await ask(wanted, admin, 'GET', '/v1/usage?from=2020-01-01');
    expect(error.message).toBe('the query: unknown field "from"; check its spelling');
    for (const query of ['start=yesterday', 'after=x', 'limit=0']) {
      expect((await call(admin, 'GET', `/v1/usage?${query}`)).status).toBe(422);
    }
  });
});
