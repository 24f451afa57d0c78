/** Prompts: immutable versions, and aliases that point to them. Moving an alias is the hot swap. */
import { CARD_FILE, decodeCard, type PackedPrompt } from '@polyprompt/prompts';
import { type Document, type Documents, folders, isSegment, promptKeys } from '@polyprompt/storage';
import type { Context } from '../context.ts';
import { RegistryError } from '../errors.ts';
import { FreshCache } from '../fresh-cache.ts';
import { behind } from '../layout.ts';
import { loadPage, type Page, type PageOptions, slicePage } from '../page.ts';
import { type ArchiveFiles, fromArchive, toArchive } from './archive.ts';
import {
  type ChangeContext,
  dropAlias,
  dropAllVersions,
  dropVersion,
  moveAlias,
  requireAlias,
  requireVersion,
  rollBack,
} from './changes.ts';
import {
  AliasTarget,
  aliasesOf,
  type HistoryEntry,
  PromptState,
  type VersionRecord,
} from './document.ts';
import { historyPage, tidy } from './history.ts';
import { type PublishOptions, publish } from './publish.ts';
import { choose, pointOf } from './split.ts';
import {
  type Alias,
  aliasView,
  assertAlias,
  assertName,
  existing,
  exists,
  newestFirst,
  type Prompt,
  type PromptVersionInfo,
  promptView,
} from './views.ts';

/** A reference to a prompt of the tenant. */
export interface PromptTarget {
  readonly name: string;
  readonly target: { readonly alias: string } | { readonly version: number };
}

/** One version, pinned. */
export interface ResolvedPrompt extends VersionRecord {
  readonly tenant: string;
  readonly name: string;
  /** The alias that led to it. */
  readonly alias: string | null;
}

export interface Change {
  /** Id of the key or of the job that makes the change. */
  readonly actor: string;
  /** Revision that the prompt must still have. */
  readonly expected?: number | undefined;
}

const RANDOM_POINT_BYTES = 4;

export class Prompts {
  readonly #context: Context;
  readonly #documents: Documents<PromptState>;
  readonly #cache: FreshCache<PromptState>;

  constructor(context: Context) {
    this.#context = context;
    this.#documents = context.storage.documents(PromptState);
    this.#cache = new FreshCache(this.#documents, context.clock, context);
  }

  /**
   * Stores a version, which then never changes. At most one version per job: repeated, it returns the first one.
   * The first version of a prompt becomes `production`.
   * @throws RegistryError `bad_value` (a name), `bad_archive`, `limit`
   */
  async publish(
    tenant: string,
    name: string,
    packed: PackedPrompt,
    options: PublishOptions,
  ): Promise<VersionRecord> {
    assertName('prompt', name);
    if (typeof options.activate === 'string') assertAlias(options.activate);
    const { document, record } = await publish(
      this.#context,
      this.#documents,
      tenant,
      name,
      packed,
      options,
    );
    await this.#took(tenant, name, document);
    return record;
  }

  /**
   * The version that a reference means now. What another process changed is seen within a second, what this one
   * changed at once.
   * @param splitKey the same key gets the same side of a split; without one each call is drawn anew
   * @throws RegistryError `prompt_not_found`, `alias_not_found`, `version_not_found`
   */
  async resolve(
    tenant: string,
    { name, target }: PromptTarget,
    splitKey?: string,
  ): Promise<ResolvedPrompt> {
    const state = existing(
      isSegment(name) ? await this.#cache.read(promptKeys(tenant, name).document) : undefined,
      name,
    );
    if ('version' in target)
      return { ...requireVersion(state, target.version, name), tenant, name, alias: null };
    const { alias } = target;
    const { target: aimed } = requireAlias(state, alias, name);
    const version = choose(aimed, this.#point(`${tenant}/${name}@${alias}`, splitKey));
    return { ...requireVersion(state, version, name), tenant, name, alias };
  }

  /** The files of a version, as stored; `unpackPrompt` verifies them. @throws RegistryError `version_not_found` */
  async read(tenant: string, name: string, version: number): Promise<PackedPrompt> {
    const keys = promptKeys(tenant, name).version(version);
    const { blobs } = this.#context.storage;
    const [prompt, card] = await Promise.all([blobs.read(keys.artifact), blobs.read(keys.card)]);
    if (prompt && card) return { prompt, card };
    throw new RegistryError('version_not_found', `prompt "${name}" has no version ${version}`);
  }

  /** @throws RegistryError `prompt_not_found` */
  async get(tenant: string, name: string): Promise<Prompt> {
    return promptView(name, await this.#require(tenant, name));
  }

  /** By name. */
  async list(tenant: string, { limit, after }: PageOptions): Promise<Page<Prompt>> {
    const folder = folders.prompts(tenant);
    const names = this.#context.storage.listFolders(folder, behind(folder, after));
    const load = async (name: string) => {
      const state = await this.#find(tenant, name);
      return state && exists(state) ? promptView(name, state) : undefined;
    };
    // A page ends with a prompt, so no page could begin behind prompts that are gone if the search for more gave up.
    return loadPage(names, limit, load, Number.POSITIVE_INFINITY);
  }

  /** @throws RegistryError `prompt_not_found`, `version_not_found` */
  async version(tenant: string, name: string, version: number): Promise<PromptVersionInfo> {
    const state = await this.#require(tenant, name);
    return this.#info(tenant, name, state, requireVersion(state, version, name));
  }

  /** Newest first; `after` is a version. @throws RegistryError `prompt_not_found` */
  async versions(
    tenant: string,
    name: string,
    { limit, after = Number.POSITIVE_INFINITY }: { limit: number; after?: number | undefined },
  ): Promise<Page<PromptVersionInfo>> {
    const state = await this.#require(tenant, name);
    const page = slicePage(newestFirst(state), limit, ({ version }) => version < after);
    const items = page.items.map((record) => this.#info(tenant, name, state, record));
    return { ...page, items: await Promise.all(items) };
  }

  /**
   * Points an alias, new or not, to a version or a split.
   * @throws RegistryError `prompt_not_found`, `version_not_found`, `alias_conflict`, `bad_value`, `limit`
   */
  async setAlias(
    tenant: string,
    name: string,
    alias: string,
    target: AliasTarget,
    change: Change,
  ): Promise<Alias> {
    assertAlias(alias);
    const parsed = AliasTarget.safeParse(target);
    if (!parsed.success) {
      const why = parsed.error.issues.map(({ message }) => message).join('; ');
      throw new RegistryError('bad_value', `alias "${alias}" cannot point there: ${why}`);
    }
    const state = await this.#change(tenant, name, change, (before, context) =>
      moveAlias(before, alias, parsed.data, context),
    );
    return aliasView(name, alias, state);
  }

  /** @throws RegistryError `prompt_not_found`, `alias_not_found`, `alias_conflict` */
  async deleteAlias(tenant: string, name: string, alias: string, change: Change): Promise<void> {
    await this.#change(tenant, name, change, (state, context) => dropAlias(state, alias, context));
  }

  /**
   * Points an alias back to where it pointed before its last move; repeated, further back.
   * @throws RegistryError `prompt_not_found`, `alias_not_found`, `no_previous`, `version_not_found` (it was deleted),
   * `alias_conflict`
   */
  async rollback(tenant: string, name: string, alias: string, change: Change): Promise<Alias> {
    const state = await this.#change(tenant, name, change, (before, context) =>
      rollBack(before, alias, context),
    );
    return aliasView(name, alias, state);
  }

  /** Newest first; `after` is a sequence number. @throws RegistryError `prompt_not_found` */
  async history(
    tenant: string,
    name: string,
    page: { limit: number; after?: number | undefined },
  ): Promise<Page<HistoryEntry>> {
    return historyPage(this.#context, tenant, name, await this.#require(tenant, name), page);
  }

  /** @throws RegistryError `prompt_not_found`, `version_not_found`, `prompt_in_use`, `alias_conflict` */
  async removeVersion(
    tenant: string,
    name: string,
    version: number,
    change: Change,
  ): Promise<void> {
    await this.#change(tenant, name, change, (state, context) =>
      dropVersion(state, version, context),
    );
  }

  /**
   * Removes all versions. A prompt made under the name later counts on from them.
   * @throws RegistryError `prompt_not_found`, `prompt_in_use` while it has an alias, `alias_conflict`
   */
  async remove(tenant: string, name: string, change: Change): Promise<void> {
    await this.#change(tenant, name, change, dropAllVersions);
  }

  /** @throws RegistryError `prompt_not_found`, `version_not_found` */
  async exportVersion(tenant: string, name: string, version: number): Promise<ArchiveFiles> {
    requireVersion(await this.#require(tenant, name), version, name);
    return toArchive(name, await this.read(tenant, name, version));
  }

  /**
   * Publishes an exported version as the next version of a prompt.
   * @param options `name` is that of the archive's folder unless given
   * @throws RegistryError `bad_archive`, `bad_value`, `limit`
   */
  async importVersion(
    tenant: string,
    files: ArchiveFiles,
    options: { name?: string | undefined; actor: string; activate?: string | null | undefined },
  ): Promise<VersionRecord & { readonly name: string }> {
    const { name: own, packed } = fromArchive(files);
    const name = options.name ?? own;
    if (name === undefined)
      throw new RegistryError(
        'bad_value',
        'the archive has no folder to name the prompt; give a name',
      );
    const { actor, activate } = options;
    return { ...(await this.publish(tenant, name, packed, { actor, activate })), name };
  }

  #point(aliasKey: string, splitKey: string | undefined): number {
    const key = splitKey ?? Buffer.from(this.#context.random(RANDOM_POINT_BYTES)).toString('hex');
    return pointOf(aliasKey, key);
  }

  async #require(tenant: string, name: string): Promise<PromptState> {
    return existing(isSegment(name) ? await this.#find(tenant, name) : undefined, name);
  }

  async #find(tenant: string, name: string): Promise<PromptState | undefined> {
    const document = await this.#documents.read(promptKeys(tenant, name).document);
    if (!document) return undefined;
    const { value } = document;
    // No later change completes the interrupted removal of a prompt that is gone: whoever comes across it does.
    if (!exists(value) && value.trash.length > 0)
      await this.#took(tenant, name, document).catch(() => undefined);
    return value;
  }

  async #info(
    tenant: string,
    name: string,
    state: PromptState,
    record: VersionRecord,
  ): Promise<PromptVersionInfo> {
    const { card: key } = promptKeys(tenant, name).version(record.version);
    const bytes = await this.#context.storage.blobs.read(key);
    if (!bytes)
      throw new RegistryError(
        'version_not_found',
        `version ${record.version} of "${name}" was just deleted`,
      );
    const card = decodeCard(bytes, `${name}@${record.version}/${CARD_FILE}`);
    return { ...record, name, card, aliases: aliasesOf(state, record.version) };
  }

  async #change(
    tenant: string,
    name: string,
    { actor, expected }: Change,
    change: (state: PromptState, context: ChangeContext) => PromptState,
  ): Promise<PromptState> {
    await this.#require(tenant, name);
    const context = { name, actor, now: this.#context.clock.now() };
    const document = await this.#documents.update(promptKeys(tenant, name).document, (state) => {
      existing(state, name);
      if (expected !== undefined && state.sequence !== expected) {
        throw new RegistryError(
          'alias_conflict',
          `prompt "${name}" has changed since revision ${expected}, it is at ${state.sequence}; read it again and repeat`,
        );
      }
      const changed = change(state, context);
      return changed === state ? undefined : changed;
    });
    await this.#took(tenant, name, document);
    return document.value;
  }

  /** After a change: this process sees it at once, and the document is kept short. */
  async #took(tenant: string, name: string, document: Document<PromptState>): Promise<void> {
    this.#cache.put(document);
    this.#cache.put(await tidy(this.#context, this.#documents, tenant, name, document));
  }
}
