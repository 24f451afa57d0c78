import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { deletedOf, idOf, listOf, pageQuery, Timestamp } from './common.ts';

/** What a key may do, each including the ones before it. */
export const SCOPES = ['infer', 'tune', 'admin'] as const;
export const Scope = z.enum(SCOPES).meta({
  id: 'Scope',
  description: 'Each scope includes the ones before it: infer, tune, admin.',
});
export type Scope = z.infer<typeof Scope>;

/** True if a key with the scopes `granted` may do what needs `needed`. */
export function scopeAllows(granted: readonly Scope[], needed: Scope): boolean {
  return granted.some((scope) => SCOPES.indexOf(scope) >= SCOPES.indexOf(needed));
}

export const KeyId = idOf('key').meta({ id: 'KeyId' });
const { min, max } = LIMITS.keyExpirySeconds;

export const KeyCreate = z
  .strictObject({
    name: z.string().min(1).max(LIMITS.nameLength).describe('For people to recognise it by.'),
    scopes: z.array(Scope).min(1).max(SCOPES.length),
    expires_in_seconds: z.int().min(min).max(max).optional().describe('Never unless given.'),
  })
  .meta({ id: 'KeyCreate' });

export const KeyObject = z
  .object({
    id: KeyId,
    object: z.literal('key'),
    name: z.string(),
    scopes: z.array(Scope),
    created_at: Timestamp,
    expires_at: Timestamp.nullable(),
    revoked_at: Timestamp.nullable(),
  })
  .meta({ id: 'Key' });
export type KeyObject = z.infer<typeof KeyObject>;

export const KeyCreated = KeyObject.extend({
  secret: z.string().describe('Shown this once; the service keeps only its hash.'),
}).meta({ id: 'KeyCreated' });

export const KeyList = listOf('KeyList', KeyObject);
export const KeyRevoked = deletedOf('KeyRevoked', 'key');
export const KeyListQuery = pageQuery(LIMITS.promptsPage, KeyId);
