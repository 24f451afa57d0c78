/**
 * The name under which the engine caches a version. It has the hash in it: when a prompt is deleted
 * and made anew, or a tenant's data restored from elsewhere, a cached version cannot answer for another.
 */
import type { Prompt } from '@polyprompt/prompts';
import { unpackPrompt } from '@polyprompt/prompts';
import type { Registry, ResolvedPrompt } from '@polyprompt/registry';
import { hasCode } from './errors.ts';

type Pinned = Pick<ResolvedPrompt, 'tenant' | 'name' | 'version' | 'hash'>;

/** Tenants and names hold no slash. */
export function promptKey({ tenant, name, version, hash }: Pinned): string {
  return `${tenant}/${name}/${version}/${hash}`;
}

/**
 * What the engine loads versions with.
 * @returns undefined for a version that has been deleted meanwhile
 */
export function promptLoader({ prompts }: Pick<Registry, 'prompts'>) {
  return async (key: string): Promise<Prompt | undefined> => {
    const [tenant = '', name = '', version = ''] = key.split('/');
    try {
      return unpackPrompt(await prompts.read(tenant, name, Number(version)), {}, key).prompt;
    } catch (error) {
      if (hasCode(error, 'version_not_found') || hasCode(error, 'prompt_not_found'))
        return undefined;
      throw error;
    }
  };
}
