import { apiKeyKey } from '@polyprompt/storage';
import { describe, expect, it } from 'vitest';
import { all, testRegistry } from './test-registry.ts';

const KEY = { name: 'laptop', scopes: ['infer', 'tune'] as const };

describe('an API key', () => {
  it('authenticates by its secret, which is not stored', async () => {
    const { keys, storage } = await testRegistry();
    const { key, secret } = await keys.create('acme', KEY);
    expect(secret).toMatch(/^pp_[0-9a-z]{28}_[0-9a-f]{48}$/);
    expect(key).toEqual({
      ...KEY,
      id: key.id,
      tenant: 'acme',
      created: key.created,
      expires: null,
      revoked: null,
    });
    expect(await keys.authenticate(secret)).toEqual(key);
    const stored = await storage.blobs.read(apiKeyKey(key.id));
    expect(String(stored)).not.toContain(secret.slice(-48));
  });

  it.each([
    ['another random part', (secret: string) => `${secret.slice(0, -4)}0000`],
    ['another id', (secret: string) => secret.replace(/^pp_..../, 'pp_0000')],
    ['a prefix', (secret: string) => secret.slice(0, -1)],
    ['nothing', () => ''],
    ['a path', () => 'pp_../../x_1'],
  ])('does not authenticate with %s', async (_, change) => {
    const { keys } = await testRegistry();
    const { secret } = await keys.create('acme', KEY);
    expect(await keys.authenticate(change(secret))).toBeUndefined();
  });

  it('ends when it expires', async () => {
    const { keys, clock } = await testRegistry();
    const { secret } = await keys.create('acme', { ...KEY, expires: clock.now() + 1000 });
    clock.advance(999);
    expect(await keys.authenticate(secret)).toBeDefined();
    clock.advance(1);
    expect(await keys.authenticate(secret)).toBeUndefined();
  });

  it('that is revoked is refused here at once and elsewhere within a second', async () => {
    const { keys, another, clock } = await testRegistry();
    const elsewhere = another().keys;
    const { key, secret } = await keys.create('acme', KEY);
    expect(await elsewhere.authenticate(secret)).toEqual(key);
    const revoked = await keys.revoke('acme', key.id);
    expect(revoked.revoked).toBe(clock.now());
    expect(await keys.authenticate(secret)).toBeUndefined();
    clock.advance(1000);
    expect(await elsewhere.authenticate(secret)).toBeUndefined();
    expect(await keys.revoke('acme', key.id)).toEqual(revoked);
  });

  it('is listed and revoked by its tenant only', async () => {
    const { keys, clock } = await testRegistry();
    const made = [];
    for (let i = 0; i < 5; i++) {
      made.unshift((await keys.create('acme', { ...KEY, name: `key ${i}` })).key);
      clock.advance(i);
    }
    const { key: foreign } = await keys.create('other', KEY);
    const first = await keys.list('acme', { limit: 3 });
    expect(first).toEqual({ items: made.slice(0, 3), hasMore: true });
    expect(await keys.list('acme', { limit: 3, after: made[2]!.id })).toEqual({
      items: made.slice(3),
      hasMore: false,
    });
    for (const id of [foreign.id, 'key-none', '../keys']) {
      await expect(keys.revoke('acme', id)).rejects.toMatchObject({ code: 'key_not_found' });
    }
    expect((await keys.list('other', { limit: 3 })).items).toEqual([foreign]);
  });

  it('of the operator’s choice is made once and found again, with the scopes asked for last', async () => {
    const { keys, another } = await testRegistry();
    const chosen = { tenant: 'default', name: 'first', scopes: ['admin'] as const };
    const made = await keys.ensure('my own secret'.replaceAll(' ', '-'), chosen);
    const found = await another().keys.ensure('my-own-secret', { ...chosen, scopes: ['infer'] });
    expect(found).toEqual({ ...made, scopes: ['infer'] });
    expect(await keys.list('default', { limit: 9 })).toEqual({ items: [found], hasMore: false });
    expect(await another().keys.authenticate('my-own-secret')).toEqual(found);
  });

  it('of the operator’s choice is refused when it is weak, revoked or taken', async () => {
    const { keys } = await testRegistry();
    const chosen = { tenant: 'default', name: 'first', scopes: ['admin'] as const };
    for (const weak of ['short', 'with a space', 'ümlaut-secret'])
      await expect(keys.ensure(weak, chosen)).rejects.toMatchObject({ code: 'bad_secret' });
    const { id } = await keys.ensure('my-own-secret', chosen);
    await expect(
      keys.ensure('my-own-secret', { ...chosen, tenant: 'other' }),
    ).rejects.toMatchObject({
      code: 'bad_secret',
      message: expect.stringContaining('another tenant'),
    });
    await keys.revoke('default', id);
    await expect(keys.ensure('my-own-secret', chosen)).rejects.toMatchObject({
      code: 'bad_secret',
      message: expect.stringContaining('revoked'),
    });
  });

  it('that works is listed, even if its making was interrupted', async () => {
    const { keys, faults, storage } = await testRegistry({ maxAttempts: 1 });
    faults.script('internalError', { operation: 'PutObject', skip: 1 });
    await expect(keys.create('acme', KEY)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await all(storage.list('keys/'))).toEqual([]);
    expect(await keys.list('acme', { limit: 9 })).toEqual({ items: [], hasMore: false });
  });
});
