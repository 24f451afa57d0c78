/** What a new service begins with: a key, and a prompt that can be asked at once. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CARD_FILE, PROMPT_FILE, unpackPrompt } from '@polyprompt/prompts';
import type { Registry } from '@polyprompt/registry';
import type { ServedBackbone } from '../deps.ts';

const TENANT = 'default';
const READY_PROMPT = 'topics';
/** Stands for a key where history says who made a change. */
const ACTOR = 'first-start';

/**
 * Makes sure that the tenant `default` has an admin key.
 * @param chosen a secret of the operator's choice
 * @returns the secret if it is known: chosen, or made just now
 * @throws RegistryError `bad_secret`
 */
export async function ensureAdminKey(
  { keys }: Pick<Registry, 'keys'>,
  chosen: string | undefined,
): Promise<string | undefined> {
  const key = { tenant: TENANT, name: 'first', scopes: ['admin'] as const };
  if (chosen !== undefined) {
    await keys.ensure(chosen, key);
    return chosen;
  }
  const { items } = await keys.list(TENANT, { limit: 1 });
  return items.length > 0 ? undefined : (await keys.create(TENANT, key)).secret;
}

/**
 * Gives the tenant `default` the prompt that ships, if it has none at all and the backbone is the one
 * that it was trained on.
 * @returns the name of a prompt that can be asked
 */
export async function ensureReadyPrompt(
  { prompts }: Pick<Registry, 'prompts'>,
  backbone: ServedBackbone,
  folder: string,
): Promise<string | undefined> {
  const { items } = await prompts.list(TENANT, { limit: 100 });
  if (items.length > 0) {
    const usable = items.filter(({ aliases }) => 'production' in aliases).map(({ name }) => name);
    return usable.includes(READY_PROMPT) ? READY_PROMPT : usable[0];
  }
  if (!existsSync(join(folder, CARD_FILE))) return undefined;
  const packed = {
    prompt: readFileSync(join(folder, PROMPT_FILE)),
    card: readFileSync(join(folder, CARD_FILE)),
  };
  if (unpackPrompt(packed, {}, folder).prompt.backbone !== backbone.fingerprint) return undefined;
  await prompts.publish(TENANT, READY_PROMPT, packed, { actor: ACTOR });
  return READY_PROMPT;
}
