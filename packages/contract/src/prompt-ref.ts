// Prompt references, as they appear in URLs and payloads:
//
//   topics              = topics@production
//   topics@staging      an alias
//   topics@7            version 7
//   acme/topics@7       the same, naming the tenant
//   ft:xlm-r:acme:topics:7   the id that tuning returns: backbone, tenant, name, version
//
// A reference that names a tenant means the same prompt; whether the caller may see it is not
// decided here.

import { ApiError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { isAlias, isName, NAME_RULE } from './names.ts';

export const DEFAULT_ALIAS = 'production';

export type PromptTarget = { readonly alias: string } | { readonly version: number };

export interface PromptRef {
  readonly name: string;
  readonly target: PromptTarget;
  /** The caller's own if absent. */
  readonly tenant?: string;
  /** Only in `ft:` ids. */
  readonly backbone?: string;
}

export interface PromptId {
  readonly backbone: string;
  readonly tenant: string;
  readonly name: string;
  readonly version: number;
}

/**
 * Parses a prompt reference, percent-decoded.
 * @param param the field or path parameter it came from, for the error
 * @throws ApiError `invalid_reference` stating the grammar, or the rule that a name breaks
 */
export function parsePromptRef(text: string, param = 'model'): PromptRef {
  if (text.length > LIMITS.referenceLength) {
    const limit = `the limit is ${LIMITS.referenceLength}`;
    throw invalid(`a prompt reference of ${text.length} characters is too long; ${limit}`, param);
  }
  if (text.startsWith('ft:')) return parseId(text, param);
  const slash = text.indexOf('/');
  const tenant = slash < 0 ? undefined : name('tenant', text.slice(0, slash), text, param);
  const rest = text.slice(slash + 1);
  const at = rest.indexOf('@');
  const target = at < 0 ? { alias: DEFAULT_ALIAS } : parseTarget(rest.slice(at + 1), text, param);
  const prompt = name('prompt', at < 0 ? rest : rest.slice(0, at), text, param);
  return { name: prompt, target, ...(tenant !== undefined && { tenant }) };
}

/** The shortest text that parses back to `ref`, except that the default alias is written out. */
export function formatPromptRef(ref: PromptRef): string {
  const { name, target, tenant, backbone } = ref;
  if (backbone !== undefined && tenant !== undefined && 'version' in target) {
    return formatPromptId({ backbone, tenant, name, version: target.version });
  }
  const owner = tenant === undefined ? '' : `${tenant}/`;
  return `${owner}${name}@${'version' in target ? target.version : target.alias}`;
}

/** `ft:<backbone>:<tenant>:<name>:<version>` */
export function formatPromptId({ backbone, tenant, name, version }: PromptId): string {
  return `ft:${backbone}:${tenant}:${name}:${version}`;
}

function parseId(text: string, param: string): PromptRef {
  const parts = text.split(':');
  const [, backbone = '', tenant = '', prompt = '', version = ''] = parts;
  if (parts.length !== 5) {
    throw invalid(
      `"${text}" is no prompt id: ft:<backbone>:<tenant>:<name>:<version> has 5 parts, this has ${parts.length}`,
      param,
    );
  }
  return {
    backbone: name('backbone', backbone, text, param),
    tenant: name('tenant', tenant, text, param),
    name: name('prompt', prompt, text, param),
    target: { version: parseVersion(version, text, param) },
  };
}

function parseTarget(target: string, text: string, param: string): PromptTarget {
  if (/^\d+$/.test(target)) return { version: parseVersion(target, text, param) };
  if (isAlias(target)) return { alias: target };
  throw invalid(`"${target}" in "${text}" is neither a version nor an alias; ${NAME_RULE}`, param);
}

function parseVersion(version: string, text: string, param: string): number {
  if (/^[1-9]\d{0,8}$/.test(version)) return Number(version);
  throw invalid(
    `"${version}" in "${text}" is no version: a number from 1 to ${LIMITS.version} without leading zeros`,
    param,
  );
}

function name(what: string, candidate: string, text: string, param: string): string {
  if (isName(candidate)) return candidate;
  throw invalid(`"${candidate}" in "${text}" is no ${what} name; it must have ${NAME_RULE}`, param);
}

function invalid(message: string, param: string): ApiError {
  return ApiError.unprocessable('invalid_reference', message, param);
}
