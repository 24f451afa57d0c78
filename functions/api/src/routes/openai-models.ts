/** Backbones and prompt versions as OpenAI's models. */
import { formatPromptId, type Model, type PromptId } from '@polyprompt/contract';
import type { Prompt, Registry } from '@polyprompt/registry';
import type { Handlers } from '../call.ts';
import type { AppDeps, ServedBackbone } from '../deps.ts';
import { resolvePrompt } from '../prompt-access.ts';
import { seconds } from '../wire.ts';

/** Who owns what no tenant made. */
const OWNER = 'polyprompt';
const PAGE = 100;

export function modelHandlers({
  registry,
  backbone,
}: Pick<AppDeps, 'registry' | 'backbone'>): Handlers<
  'listModels' | 'retrieveModel' | 'deleteModel'
> {
  return {
    async listModels({ caller: { tenant } }) {
      const data = [backboneModel(backbone)];
      for await (const { name, versions } of allPrompts(registry, tenant)) {
        data.push(...versions.map((version) => versionModel({ ...version, tenant, name })));
      }
      return { object: 'list', data };
    },
    async retrieveModel({ caller, params: { model } }) {
      if (model === backbone.id) return backboneModel(backbone);
      return versionModel(await resolvePrompt(registry, caller, model));
    },
    async deleteModel({ caller, params: { model } }) {
      const resolved = await resolvePrompt(registry, caller, model);
      const { tenant, name, version } = resolved;
      await registry.prompts.removeVersion(tenant, name, version, { actor: caller.keyId });
      return { id: formatPromptId(resolved), object: 'model', deleted: true };
    },
  };
}

async function* allPrompts(
  { prompts }: Pick<Registry, 'prompts'>,
  tenant: string,
): AsyncGenerator<Prompt> {
  let after: string | undefined;
  for (;;) {
    const { items, hasMore } = await prompts.list(tenant, { limit: PAGE, after });
    yield* items;
    after = items.at(-1)?.name;
    if (!hasMore || after === undefined) return;
  }
}

function backboneModel({ id, created }: ServedBackbone): Model {
  return { id, object: 'model', created, owned_by: OWNER };
}

function versionModel(version: PromptId & { readonly created: number }): Model {
  return {
    id: formatPromptId(version),
    object: 'model',
    created: seconds(version.created),
    owned_by: version.tenant,
  };
}
