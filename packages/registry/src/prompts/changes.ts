/**
 * Everything that can happen to a prompt, as pure functions on its state. They keep what readers rely on: an alias
 * points to versions that exist, a version number is used once, every change is in the history.
 */
import { RegistryError } from '../errors.ts';
import {
  type AliasTarget,
  aliasesOf,
  type HistoryEntry,
  type PromptState,
  type VersionRecord,
  versionsOf,
} from './document.ts';

/** Who changes what, when. */
export interface ChangeContext {
  /** The prompt's name, for messages. */
  readonly name: string;
  readonly actor: string;
  readonly now: number;
}

export const DEFAULT_ALIAS = 'production';
const MAX_VERSIONS = 1000;
const MAX_ALIASES = 100;
/** How far back an alias can be rolled. */
const MAX_PAST = 32;

const EMPTY: Omit<PromptState, 'created' | 'updated'> = {
  latest: 0,
  sequence: 0,
  versions: {},
  aliases: {},
  history: [],
  trash: [],
};

/** Adds a version that is completely stored; the first one of a prompt becomes `production`. @throws RegistryError `limit` */
export function addVersion(
  before: PromptState | undefined,
  record: VersionRecord,
  activate: string | null,
  context: ChangeContext,
): PromptState {
  const state = before ?? { ...EMPTY, created: context.now, updated: context.now };
  const existing = Object.keys(state.versions).length;
  if (existing >= MAX_VERSIONS) {
    throw new RegistryError(
      'limit',
      `prompt "${context.name}" has ${existing} versions, the limit; delete some that are not needed`,
    );
  }
  const { version } = record;
  const created = existing === 0 ? context.now : state.created;
  let next: PromptState = {
    ...state,
    created,
    latest: version,
    versions: { ...state.versions, [version]: record },
  };
  next = log(next, { action: 'publish', version }, context);
  const aliases = new Set([
    ...(existing === 0 ? [DEFAULT_ALIAS] : []),
    ...(activate === null ? [] : [activate]),
  ]);
  for (const alias of aliases) next = moveAlias(next, alias, { version }, context);
  return next;
}

/** @throws RegistryError `version_not_found`, `limit` */
export function moveAlias(
  state: PromptState,
  alias: string,
  target: AliasTarget,
  context: ChangeContext,
): PromptState {
  assertVersions(state, versionsOf(target), context.name);
  const known = aliasOf(state, alias);
  if (!known && Object.keys(state.aliases).length >= MAX_ALIASES) {
    throw new RegistryError(
      'limit',
      `prompt "${context.name}" has ${MAX_ALIASES} aliases, the limit; delete one first`,
    );
  }
  if (known && sameTarget(known.target, target)) return state;
  const past = known ? [...known.past, known.target].slice(-MAX_PAST) : [];
  return log(
    { ...state, aliases: { ...state.aliases, [alias]: { target, updated: context.now, past } } },
    { action: 'move_alias', alias, from: known?.target ?? null, to: target },
    context,
  );
}

/** @throws RegistryError `alias_not_found`, `no_previous`, `version_not_found` */
export function rollBack(state: PromptState, alias: string, context: ChangeContext): PromptState {
  const { target: from, past } = requireAlias(state, alias, context.name);
  const to = past.at(-1);
  if (!to) {
    throw new RegistryError(
      'no_previous',
      `alias "${alias}" of "${context.name}" has not pointed anywhere else before`,
    );
  }
  assertVersions(state, versionsOf(to), context.name);
  const rolled = { target: to, updated: context.now, past: past.slice(0, -1) };
  return log(
    { ...state, aliases: { ...state.aliases, [alias]: rolled } },
    { action: 'rollback', alias, from, to },
    context,
  );
}

/** @throws RegistryError `alias_not_found` */
export function dropAlias(state: PromptState, alias: string, context: ChangeContext): PromptState {
  const { target: from } = requireAlias(state, alias, context.name);
  const { [alias]: _, ...aliases } = state.aliases;
  return log({ ...state, aliases }, { action: 'delete_alias', alias, from }, context);
}

/** @throws RegistryError `version_not_found`, `prompt_in_use` */
export function dropVersion(
  state: PromptState,
  version: number,
  context: ChangeContext,
): PromptState {
  assertVersions(state, [version], context.name);
  const aliases = aliasesOf(state, version);
  if (aliases.length > 0) {
    throw new RegistryError(
      'prompt_in_use',
      `version ${version} of "${context.name}" cannot be deleted: ${list(aliases)} to it; move or delete the alias first`,
    );
  }
  const { [version]: _, ...versions } = state.versions;
  return log(
    { ...state, versions, trash: [...state.trash, version] },
    { action: 'delete_version', version },
    context,
  );
}

/** @throws RegistryError `prompt_in_use` */
export function dropAllVersions(state: PromptState, context: ChangeContext): PromptState {
  const aliases = Object.keys(state.aliases).sort();
  if (aliases.length > 0) {
    throw new RegistryError(
      'prompt_in_use',
      `prompt "${context.name}" cannot be deleted: ${list(aliases)} to its versions; delete the alias first`,
    );
  }
  return Object.values(state.versions).reduce(
    (rest, { version }) => dropVersion(rest, version, context),
    state,
  );
}

/** @throws RegistryError `alias_not_found` naming those there are */
export function requireAlias(state: PromptState, alias: string, name: string) {
  const found = aliasOf(state, alias);
  if (found) return found;
  const others = Object.keys(state.aliases).sort().join(', ') || 'none';
  throw new RegistryError(
    'alias_not_found',
    `prompt "${name}" has no alias "${alias}"; it has: ${others}`,
  );
}

/** @throws RegistryError `version_not_found` */
export function requireVersion(state: PromptState, version: number, name: string): VersionRecord {
  const found = state.versions[version];
  if (found) return found;
  const newest = Math.max(...Object.values(state.versions).map((record) => record.version));
  throw new RegistryError(
    'version_not_found',
    `prompt "${name}" has no version ${version}; the newest is ${newest}`,
  );
}

/** An alias may be called like a property that every object has. */
function aliasOf(state: PromptState, alias: string) {
  return Object.hasOwn(state.aliases, alias) ? state.aliases[alias] : undefined;
}

function assertVersions(state: PromptState, versions: readonly number[], name: string): void {
  for (const version of versions) requireVersion(state, version, name);
}

function log(
  state: PromptState,
  entry: Pick<HistoryEntry, 'action'> & Partial<HistoryEntry>,
  { actor, now }: ChangeContext,
): PromptState {
  const sequence = state.sequence + 1;
  const full = { version: null, alias: null, from: null, to: null, ...entry };
  return {
    ...state,
    sequence,
    updated: now,
    history: [...state.history, { ...full, sequence, actor, created: now }],
  };
}

function sameTarget(a: AliasTarget, b: AliasTarget): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function list(aliases: readonly string[]): string {
  return aliases.length === 1
    ? `the alias ${aliases[0]} points`
    : `the aliases ${aliases.join(', ')} point`;
}
