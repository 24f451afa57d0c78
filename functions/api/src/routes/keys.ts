import type { KeyObject } from '@polyprompt/contract';
import type { ApiKey, Registry } from '@polyprompt/registry';
import type { Handlers } from '../call.ts';
import { listOf, seconds, secondsOrNull } from '../wire.ts';

export function keyHandlers(
  { keys }: Pick<Registry, 'keys'>,
  now: () => number,
): Handlers<'createKey' | 'listKeys' | 'revokeKey'> {
  return {
    async createKey({ caller, json }) {
      const { name, scopes, expires_in_seconds } = await json();
      const expires = expires_in_seconds === undefined ? null : now() + expires_in_seconds * 1000;
      const { key, secret } = await keys.create(caller.tenant, { name, scopes, expires });
      return { ...keyObject(key), secret };
    },
    async listKeys({ caller, query }) {
      return listOf(await keys.list(caller.tenant, query), keyObject);
    },
    async revokeKey({ caller, params }) {
      await keys.revoke(caller.tenant, params.key_id);
      return { id: params.key_id, object: 'key', deleted: true };
    },
  };
}

function keyObject({ id, name, scopes, created, expires, revoked }: ApiKey): KeyObject {
  return {
    id,
    object: 'key',
    name,
    scopes,
    created_at: seconds(created),
    expires_at: secondsOrNull(expires),
    revoked_at: secondsOrNull(revoked),
  };
}
