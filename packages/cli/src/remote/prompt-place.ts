/** Which prompt and version an argument means: `topics`, `topics@3` or `topics@staging`. */
import { DEFAULT_ALIAS, type PromptTarget, parsePromptRef } from '@polyprompt/contract';
import { CliError } from '../errors.ts';
import type { Service } from './client.ts';

export interface PromptPlace {
  readonly name: string;
  /** Undefined for the prompt as a whole. */
  readonly target: PromptTarget | undefined;
}

/** @throws ApiError `invalid_reference`; CliError `usage` where a tenant is named, which the key decides */
export function placeOf(text: string): PromptPlace {
  const { name, target, tenant } = parsePromptRef(text);
  if (tenant !== undefined) {
    const version = 'version' in target ? `${name}@${target.version}` : `${name}@${target.alias}`;
    throw new CliError(
      'usage',
      `${text} names a tenant, which the key does already; give ${version}`,
    );
  }
  return { name, target: text.includes('@') ? target : undefined };
}

/**
 * The number of the version; that of the default alias where none is named.
 * @throws CliError `no_such_alias`, `usage`; RemoteError
 */
export async function versionOf(service: Service, place: PromptPlace): Promise<number> {
  const { name, target = { alias: DEFAULT_ALIAS } } = place;
  if ('version' in target) return target.version;
  const { alias } = target;
  const { aliases } = await service.call('retrievePrompt', { params: { name } });
  const found = aliases[alias];
  if (found === undefined) {
    const known = Object.keys(aliases).join(', ') || 'none';
    throw new CliError(
      'no_such_alias',
      `prompt "${name}" has no alias "${alias}"; it has ${known}`,
    );
  }
  if ('version' in found) return found.version;
  const versions = found.split.map(({ version }) => `${name}@${version}`).join(' or ');
  throw new CliError('usage', `${name}@${alias} splits its traffic; give ${versions}`);
}
