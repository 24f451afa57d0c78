/** Prompts: versions, aliases, rollback, archives. */
import {
  type Alias,
  ApiError,
  formatPromptId,
  type HistoryEntry,
  LIMITS,
  type PromptObject,
  type PromptVersion,
} from '@polyprompt/contract';
import { CARD_FILE, decodeCard } from '@polyprompt/prompts';
import type {
  ArchiveFiles,
  Prompt,
  PromptVersionInfo,
  Alias as StoredAlias,
  HistoryEntry as StoredChange,
} from '@polyprompt/registry';
import type { Call, Handlers } from '../call.ts';
import type { AppDeps, ServedBackbone } from '../deps.ts';
import { readBytes } from '../http/body.ts';
import type { HeldBytes } from '../http/held-bytes.ts';
import { packTar, unpackTar } from '../http/tar.ts';
import { listOf, numberAtEnd, seconds } from '../wire.ts';
import { adapterFolder, exportAdapter, importAdapter } from './peft.ts';

type Ids =
  | 'listPrompts'
  | 'importPrompt'
  | 'retrievePrompt'
  | 'deletePrompt'
  | 'listVersions'
  | 'retrieveVersion'
  | 'deleteVersion'
  | 'retrieveCard'
  | 'exportVersion'
  | 'setAlias'
  | 'deleteAlias'
  | 'rollbackPrompt'
  | 'listHistory';

export function promptHandlers(
  { registry: { prompts }, backbone }: Pick<AppDeps, 'registry' | 'backbone'>,
  held: HeldBytes,
): Handlers<Ids> {
  return {
    async listPrompts({ caller, query }) {
      return listOf(await prompts.list(caller.tenant, query), promptObject);
    },
    async importPrompt({ caller: { tenant, keyId: actor }, query, request }) {
      const advice = 'an exported version is smaller; import one version at a time';
      return held.hold(tenant, async (count) => {
        const files = await unpackTar(await readBytes(request, LIMITS.importBytes, advice, count));
        const { name, activate } = query;
        const folder = adapterFolder(files);
        if (folder !== undefined) {
          const adapter = await importAdapter(files, folder, query, backbone);
          const chosen = name ?? adapter.name;
          if (chosen === undefined) throw unnamed();
          const change = { actor, activate };
          const made = await prompts.publish(tenant, chosen, adapter.packed, change);
          return versionObject(tenant, await prompts.version(tenant, chosen, made.version));
        }
        checkBackbone(files, backbone);
        const { name: imported, version } = await prompts.importVersion(tenant, files, {
          name,
          activate,
          actor,
        });
        return versionObject(tenant, await prompts.version(tenant, imported, version));
      });
    },
    async retrievePrompt({ caller, params, setHeader }) {
      const prompt = await prompts.get(caller.tenant, params.name);
      setHeader('ETag', etag(prompt.revision));
      return promptObject(prompt);
    },
    async deletePrompt({ caller, params: { name } }) {
      await prompts.remove(caller.tenant, name, { actor: caller.keyId });
      return { id: name, object: 'prompt', deleted: true };
    },
    async listVersions({ caller: { tenant }, params: { name }, query }) {
      const page = { limit: query.limit, after: numberAtEnd(query.after) };
      const versions = await prompts.versions(tenant, name, page);
      return listOf(versions, (version) => versionObject(tenant, version));
    },
    async retrieveVersion({ caller: { tenant }, params: { name, version } }) {
      return versionObject(tenant, await prompts.version(tenant, name, version));
    },
    async deleteVersion({ caller: { tenant, keyId }, params: { name, version } }) {
      const { backbone: of } = await prompts.version(tenant, name, version);
      await prompts.removeVersion(tenant, name, version, { actor: keyId });
      const id = formatPromptId({ backbone: of, tenant, name, version });
      return { id, object: 'prompt.version', deleted: true };
    },
    async retrieveCard({ caller: { tenant }, params: { name, version } }) {
      return (await prompts.version(tenant, name, version)).card;
    },
    async exportVersion({ caller: { tenant }, params: { name, version }, query }) {
      const { created } = await prompts.version(tenant, name, version);
      const { format, base_model: baseModel } = query;
      const files =
        format === 'peft'
          ? await exportAdapter(
              name,
              await prompts.read(tenant, name, version),
              baseModel,
              backbone,
            )
          : await prompts.exportVersion(tenant, name, version);
      return new Response(packTar(files, new Date(created)), {
        headers: {
          'content-type': 'application/x-tar',
          'content-disposition': `attachment; filename="${name}-${version}${format === 'peft' ? '-peft' : ''}.tar"`,
        },
      });
    },
    async setAlias(call) {
      const { caller, params, json, setHeader } = call;
      const target = await json();
      const change = { actor: caller.keyId, expected: expectedRevision(call) };
      const alias = await prompts.setAlias(
        caller.tenant,
        params.name,
        params.alias,
        target,
        change,
      );
      setHeader('ETag', etag(alias.revision));
      return aliasObject(alias);
    },
    async deleteAlias(call) {
      const { caller, params } = call;
      const change = { actor: caller.keyId, expected: expectedRevision(call) };
      await prompts.deleteAlias(caller.tenant, params.name, params.alias, change);
      return { id: `${params.name}@${params.alias}`, object: 'prompt.alias', deleted: true };
    },
    async rollbackPrompt(call) {
      const { caller, params, json, setHeader } = call;
      const { alias: name } = await json();
      const change = { actor: caller.keyId, expected: expectedRevision(call) };
      const alias = await prompts.rollback(caller.tenant, params.name, name, change);
      setHeader('ETag', etag(alias.revision));
      return aliasObject(alias);
    },
    async listHistory({ caller, params, query }) {
      const page = { limit: query.limit, after: numberAtEnd(query.after) };
      return listOf(await prompts.history(caller.tenant, params.name, page), historyObject);
    },
  };
}

/** @throws ApiError `backbone.not_found`: a prompt for another backbone could never be asked here */
function checkBackbone(files: ArchiveFiles, { id, fingerprint }: ServedBackbone): void {
  const [path, bytes] =
    Object.entries(files).find(([name]) => name.split('/').at(-1) === CARD_FILE) ?? [];
  // Without a card it is no version at all, which the registry says better.
  if (path === undefined || bytes === undefined) return;
  const { backbone } = decodeCard(bytes, path);
  if (backbone.fingerprint === fingerprint && backbone.name === id) return;
  throw ApiError.notFound(
    'backbone.not_found',
    `the archive is for the backbone "${backbone.name}" (${backbone.fingerprint}); this service has ${id} (${fingerprint})`,
  );
}

function unnamed(): ApiError {
  const message = 'the archive has no folder to name the prompt; give a name';
  return ApiError.unprocessable('invalid_value', message, 'name');
}

function etag(revision: number): string {
  return `"${revision}"`;
}

function expectedRevision({ header }: Pick<Call<'setAlias'>, 'header'>): number | undefined {
  const value = header('If-Match');
  if (value === undefined || value === '*') return undefined;
  const [, digits] = /^"?(\d{1,15})"?$/.exec(value) ?? [];
  if (digits !== undefined) return Number(digits);
  const message = 'If-Match: expected the ETag of the prompt as it was read, such as "7"';
  throw ApiError.unprocessable('invalid_value', message, 'If-Match');
}

function promptObject({ name, created, updated, latest, aliases }: Prompt): PromptObject {
  return {
    id: name,
    object: 'prompt',
    created_at: seconds(created),
    updated_at: seconds(updated),
    latest_version: latest,
    aliases,
  };
}

function versionObject(tenant: string, info: PromptVersionInfo): PromptVersion {
  const { name, version, backbone, card } = info;
  return {
    id: formatPromptId({ backbone, tenant, name, version }),
    object: 'prompt.version',
    prompt: name,
    version,
    created_at: seconds(info.created),
    task: card.task,
    labels: card.labels,
    method: card.method,
    length: card.length,
    parameters: card.parameters,
    backbone,
    hash: info.hash,
    bytes: info.bytes,
    job: info.job,
    aliases: [...info.aliases],
  };
}

function aliasObject({ prompt, alias, target, updated }: StoredAlias): Alias {
  return { object: 'prompt.alias', prompt, alias, target, updated_at: seconds(updated) };
}

function historyObject({ sequence, created, ...change }: StoredChange): HistoryEntry {
  return {
    id: `change-${sequence}`,
    object: 'prompt.change',
    created_at: seconds(created),
    ...change,
  };
}
