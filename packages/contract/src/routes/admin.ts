// Keys and usage.

import { z } from 'zod';
import type { Route } from '../route.ts';
import * as keys from '../schemas/keys.ts';
import * as usage from '../schemas/usage.ts';
import { json } from './shared.ts';

export const adminRoutes = {
  createKey: {
    method: 'POST',
    path: '/v1/keys',
    tag: 'Keys',
    summary: 'Create a key; its secret is shown this once',
    scope: 'admin',
    family: 'openai',
    body: json(keys.KeyCreate),
    response: { json: keys.KeyCreated },
  },
  listKeys: {
    method: 'GET',
    path: '/v1/keys',
    tag: 'Keys',
    summary: 'List keys, without their secrets',
    scope: 'admin',
    family: 'openai',
    query: keys.KeyListQuery,
    response: { json: keys.KeyList },
  },
  revokeKey: {
    method: 'DELETE',
    path: '/v1/keys/{key_id}',
    tag: 'Keys',
    summary: 'Revoke a key',
    scope: 'admin',
    family: 'openai',
    params: z.object({ key_id: keys.KeyId }),
    response: { json: keys.KeyRevoked },
    errors: ['key.not_found'],
  },
  listUsage: {
    method: 'GET',
    path: '/v1/usage',
    tag: 'Usage',
    summary: 'List usage per prompt and day',
    scope: 'admin',
    family: 'openai',
    query: usage.UsageQuery,
    response: { json: usage.UsageList },
  },
} as const satisfies Record<string, Route>;
