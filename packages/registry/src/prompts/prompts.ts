import type { PackedPrompt, PromptCard } from '@polyprompt/prompts';
import type { Page, PageOptions } from '../page.ts';
import type { AliasTarget, HistoryEntry, VersionRecord } from './document.ts';

export interface Prompt {
  readonly name: string;
  readonly created: number;
  readonly updated: number;
  /** Number of the newest version, deleted ones included. */
  readonly latest: number;
  /** Grows with every change; what `expected` is compared with. */
  readonly revision: number;
  readonly aliases: Readonly<Record<string, AliasTarget>>;
  /** Existing versions, newest first. */
  readonly versions: readonly VersionRecord[];
}

export interface Alias {
  readonly prompt: string;
  readonly alias: string;
  readonly target: AliasTarget;
  readonly updated: number;
  /** Of the prompt, after the change. */
  readonly revision: number;
}

export interface PromptVersionInfo extends VersionRecord {
  readonly name: string;
  readonly card: PromptCard;
  /** Aliases that point to it, alone or in a split. */
  readonly aliases: readonly string[];
}

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

/** The files of an exported version by path: `<name>/prompt.safetensors`, `<name>/card.json`. */
export type ArchiveFiles = Readonly<Record<string, Uint8Array>>;

export interface Prompts {
  /**
   * Stores a version, which then never changes. At most one version per job: repeated, it returns the first one.
   * The first version of a prompt becomes `production`.
   * @param activate alias that moves to the version, in the same step
   * @throws RegistryError `bad_value` (name), `bad_archive`, `limit`
   */
  publish(
    tenant: string,
    name: string,
    packed: PackedPrompt,
    options: { actor: string; job?: string | null; activate?: string | null | undefined },
  ): Promise<VersionRecord>;
  /**
   * The version that a reference means now. What another process changed is seen within a second, what this one
   * changed at once.
   * @param splitKey the same key gets the same side of a split
   * @throws RegistryError `prompt_not_found`, `alias_not_found`, `version_not_found`
   */
  resolve(tenant: string, ref: PromptTarget, splitKey?: string): Promise<ResolvedPrompt>;
  /** The files of a version, unverified. @throws RegistryError `version_not_found` */
  read(tenant: string, name: string, version: number): Promise<PackedPrompt>;
  /** @throws RegistryError `prompt_not_found` */
  get(tenant: string, name: string): Promise<Prompt>;
  /** By name. */
  list(tenant: string, page: PageOptions): Promise<Page<Prompt>>;
  version(tenant: string, name: string, version: number): Promise<PromptVersionInfo>;
  /** Newest first; `after` is a version. */
  versions(
    tenant: string,
    name: string,
    page: { limit: number; after?: number | undefined },
  ): Promise<Page<PromptVersionInfo>>;
  /** @throws RegistryError `prompt_not_found`, `version_not_found`, `alias_conflict`, `bad_value` */
  setAlias(
    tenant: string,
    name: string,
    alias: string,
    target: AliasTarget,
    change: Change,
  ): Promise<Alias>;
  deleteAlias(tenant: string, name: string, alias: string, change: Change): Promise<void>;
  /** Back to where the alias pointed before its last move; repeated, further back. @throws RegistryError `no_previous`, `version_not_found`, ... */
  rollback(tenant: string, name: string, alias: string, change: Change): Promise<Alias>;
  /** Newest first; `after` is a sequence number. */
  history(
    tenant: string,
    name: string,
    page: { limit: number; after?: number | undefined },
  ): Promise<Page<HistoryEntry>>;
  /** @throws RegistryError `prompt_in_use`, ... */
  removeVersion(tenant: string, name: string, version: number, change: Change): Promise<void>;
  /** Removes all versions. Their numbers are never used again. @throws RegistryError `prompt_in_use` while it has an alias */
  remove(tenant: string, name: string, change: Change): Promise<void>;
  exportVersion(tenant: string, name: string, version: number): Promise<ArchiveFiles>;
  /** @param name the archive's own unless given */
  importVersion(
    tenant: string,
    files: ArchiveFiles,
    options: { name?: string | undefined; actor: string; activate?: string | null | undefined },
  ): Promise<VersionRecord & { readonly name: string }>;
}
