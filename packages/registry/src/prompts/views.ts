/** Prompts as callers see them, made from their state, and the rules for their names. */
import type { PromptCard } from '@polyprompt/prompts';
import { isSegment } from '@polyprompt/storage';
import { RegistryError } from '../errors.ts';
import type { AliasTarget, PromptState, VersionRecord } from './document.ts';

export interface Prompt {
  readonly name: string;
  readonly created: number;
  readonly updated: number;
  /** Number of the newest existing version. */
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

export function exists(state: PromptState): boolean {
  return Object.keys(state.versions).length > 0;
}

/** @throws RegistryError `prompt_not_found` */
export function existing(state: PromptState | undefined, name: string): PromptState {
  if (state && exists(state)) return state;
  throw new RegistryError('prompt_not_found', `no prompt "${name}"`);
}

export function newestFirst(state: PromptState): VersionRecord[] {
  return Object.values(state.versions).sort((a, b) => b.version - a.version);
}

export function promptView(name: string, state: PromptState): Prompt {
  const { created, updated, sequence, aliases } = state;
  const versions = newestFirst(state);
  return {
    name,
    created,
    updated,
    latest: versions[0]!.version,
    revision: sequence,
    aliases: Object.fromEntries(
      Object.entries(aliases).map(([alias, { target }]) => [alias, target]),
    ),
    versions,
  };
}

export function aliasView(name: string, alias: string, state: PromptState): Alias {
  const { target, updated } = state.aliases[alias]!;
  return { prompt: name, alias, target, updated, revision: state.sequence };
}

/** @throws RegistryError `bad_value` */
export function assertName(what: string, name: string): void {
  if (isSegment(name)) return;
  const shown = JSON.stringify(name.slice(0, 140));
  throw new RegistryError(
    'bad_value',
    `${shown} is no name of a ${what}: 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or digit`,
  );
}

/** @throws RegistryError `bad_value` */
export function assertAlias(alias: string): void {
  assertName('alias', alias);
  if (/^\d+$/.test(alias))
    throw new RegistryError(
      'bad_value',
      `"${alias}" is no name of an alias: digits alone mean a version`,
    );
}
