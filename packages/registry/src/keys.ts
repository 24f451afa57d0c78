/**
 * API keys. A secret is `pp_<id>_<random>`, or one of the operator's choice; stored is its SHA-256. Both kinds lead
 * to the id, so a lookup is one read. Keys are revoked, never removed.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { apiKeyKey, type Documents } from '@polyprompt/storage';
import { z } from 'zod';
import type { Context } from './context.ts';
import { RegistryError } from './errors.ts';
import { FreshCache } from './fresh-cache.ts';
import { isId } from './ids.ts';
import { behind, keyIndex } from './layout.ts';
import { loadPage, type Page, type PageOptions } from './page.ts';

export const SCOPES = ['infer', 'tune', 'admin'] as const;
export const Scope = z.enum(SCOPES);
export type Scope = z.infer<typeof Scope>;

const Time = z.int().nonnegative();

export const ApiKey = z.object({
  id: z.string(),
  tenant: z.string(),
  /** For people to recognise it by. */
  name: z.string(),
  scopes: z.array(Scope).min(1),
  /** Epoch milliseconds, like every time in this package. */
  created: Time,
  expires: Time.nullable(),
  revoked: Time.nullable(),
});
export type ApiKey = z.infer<typeof ApiKey>;

const StoredKey = ApiKey.extend({ hash: z.string() });
type StoredKey = z.infer<typeof StoredKey>;

const SECRET_BYTES = 24;
const MIN_CHOSEN_LENGTH = 8;
const GENERATED = /^pp_([0-9a-z]{28})_/;

export class Keys {
  readonly #context: Context;
  readonly #documents: Documents<StoredKey>;
  readonly #cache: FreshCache<StoredKey>;

  constructor(context: Context) {
    this.#context = context;
    this.#documents = context.storage.documents(StoredKey);
    this.#cache = new FreshCache(this.#documents, context.clock, context);
  }

  /** Makes a key with a random secret, which nobody can read again. */
  async create(
    tenant: string,
    {
      name,
      scopes,
      expires = null,
    }: { name: string; scopes: readonly Scope[]; expires?: number | null },
  ): Promise<{ key: ApiKey; secret: string }> {
    const id = this.#context.ids.next('key');
    const random = Buffer.from(this.#context.random(SECRET_BYTES)).toString('hex');
    const secret = `pp_${id.slice('key-'.length)}_${random}`;
    await this.#index(tenant, id);
    const key = this.#newKey(secret, { id, tenant, name, scopes, expires });
    const document = await this.#documents.create(apiKeyKey(id), key);
    this.#cache.put(document);
    return { key: view(document.value), secret };
  }

  /**
   * Makes sure that a secret of the operator's choice is a key of `tenant` with these scopes.
   * @throws RegistryError `bad_secret`: too short, revoked before, or another tenant's
   */
  async ensure(
    secret: string,
    { tenant, name, scopes }: { tenant: string; name: string; scopes: readonly Scope[] },
  ): Promise<ApiKey> {
    if (!/^[\x21-\x7e]*$/.test(secret) || secret.length < MIN_CHOSEN_LENGTH) {
      throw new RegistryError(
        'bad_secret',
        `a key needs at least ${MIN_CHOSEN_LENGTH} characters, printable ASCII without spaces; this one has ${secret.length} characters`,
      );
    }
    const id = idOf(secret);
    const fresh = this.#newKey(secret, { id, tenant, name, scopes, expires: null });
    await this.#index(tenant, id);
    const document = await this.#documents.upsert(apiKeyKey(id), (known) => {
      if (!known) return fresh;
      if (known.tenant !== tenant || known.hash !== fresh.hash)
        throw new RegistryError(
          'bad_secret',
          `the key ${id} belongs to another tenant; choose another secret`,
        );
      if (known.revoked !== null)
        throw new RegistryError('bad_secret', `the key ${id} was revoked; choose another secret`);
      return { ...known, scopes: [...scopes] };
    });
    this.#cache.put(document);
    return view(document.value);
  }

  /**
   * The key that a secret belongs to; that it was revoked elsewhere is seen within a second.
   * @returns undefined for a secret that is unknown, expired or revoked
   */
  async authenticate(secret: string): Promise<ApiKey | undefined> {
    const stored = await this.#cache.read(apiKeyKey(idOf(secret)));
    if (!stored || !timingSafeEqual(sha256(secret), Buffer.from(stored.hash, 'hex')))
      return undefined;
    const expired = stored.expires !== null && stored.expires <= this.#context.clock.now();
    return expired || stored.revoked !== null ? undefined : view(stored);
  }

  /** Newest first, those of the operator's choice last; expired and revoked ones too. */
  async list(tenant: string, { limit, after }: PageOptions): Promise<Page<ApiKey>> {
    const folder = keyIndex(tenant);
    const { storage } = this.#context;
    const ids = async function* () {
      for await (const { key } of storage.list(folder, behind(folder, after)))
        yield key.slice(folder.length);
    };
    return loadPage(ids(), limit, async (id) => {
      const document = await this.#documents.read(apiKeyKey(id));
      return document?.value.tenant === tenant ? view(document.value) : undefined;
    });
  }

  /** Repeatable. @throws RegistryError `key_not_found` */
  async revoke(tenant: string, id: string): Promise<ApiKey> {
    const missing = new RegistryError('key_not_found', `no key "${id}"`);
    if (!isId('key', id) || !(await this.#documents.read(apiKeyKey(id)))) throw missing;
    const document = await this.#documents.update(apiKeyKey(id), (key) => {
      if (key.tenant !== tenant) throw missing;
      return key.revoked === null ? { ...key, revoked: this.#context.clock.now() } : undefined;
    });
    this.#cache.put(document);
    return view(document.value);
  }

  /** Written before the key, so that no key works that is not listed. */
  async #index(tenant: string, id: string): Promise<void> {
    await this.#context.storage.blobs.put(`${keyIndex(tenant)}${id}`, '');
  }

  #newKey(
    secret: string,
    key: Pick<ApiKey, 'id' | 'tenant' | 'name' | 'expires'> & { scopes: readonly Scope[] },
  ): StoredKey {
    return {
      ...key,
      scopes: [...key.scopes],
      created: this.#context.clock.now(),
      revoked: null,
      hash: sha256(secret).toString('hex'),
    };
  }
}

/** A generated secret names its id; that of a chosen one is another hash of it, sorting behind the generated. */
function idOf(secret: string): string {
  const named = GENERATED.exec(secret)?.[1];
  if (named !== undefined) return `key-${named}`;
  return `key-z${sha256(`id of the key ${secret}`).toString('hex').slice(0, 27)}`;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function view({ hash: _, ...key }: StoredKey): ApiKey {
  return key;
}
