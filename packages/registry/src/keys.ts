import { z } from 'zod';
import type { Page, PageOptions } from './page.ts';

export const SCOPES = ['infer', 'tune', 'admin'] as const;
export const Scope = z.enum(SCOPES);
export type Scope = z.infer<typeof Scope>;

const Time = z.int().nonnegative();

export const ApiKey = z.object({
  id: z.string(),
  tenant: z.string(),
  name: z.string(),
  scopes: z.array(Scope).min(1),
  /** Epoch milliseconds, like every time in this package. */
  created: Time,
  expires: Time.nullable(),
  revoked: Time.nullable(),
});
export type ApiKey = z.infer<typeof ApiKey>;

export interface Keys {
  /** The secret is returned this once. */
  create(
    tenant: string,
    key: { name: string; scopes: readonly Scope[]; expires?: number | null },
  ): Promise<{ key: ApiKey; secret: string }>;
  /** Makes sure that a secret of the operator's choice is a key of `tenant`. */
  ensure(
    secret: string,
    key: { tenant: string; name: string; scopes: readonly Scope[] },
  ): Promise<ApiKey>;
  /** @returns undefined for a secret that is unknown, expired or revoked. */
  authenticate(secret: string): Promise<ApiKey | undefined>;
  /** Newest first; revoked ones too. */
  list(tenant: string, page: PageOptions): Promise<Page<ApiKey>>;
  revoke(tenant: string, id: string): Promise<ApiKey>;
}
