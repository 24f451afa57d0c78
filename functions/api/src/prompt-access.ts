/** Prompt references of callers: parsed, bound to the caller's tenant, pinned to one version. */
import { ApiError, parsePromptRef } from '@polyprompt/contract';
import type { Registry, ResolvedPrompt } from '@polyprompt/registry';
import type { Caller } from './call.ts';

/**
 * The version that a reference means at this moment.
 * @param splitKey keeps its side of a split; the caller's key unless given
 * @param param the field that it came from, for errors
 * @throws ApiError `invalid_reference`, `prompt.not_found`; RegistryError as `prompts.resolve`
 */
export async function resolvePrompt(
  { prompts }: Pick<Registry, 'prompts'>,
  caller: Caller,
  reference: string,
  splitKey: string = caller.keyId,
  param = 'model',
): Promise<ResolvedPrompt> {
  const { name, target, tenant = caller.tenant, backbone } = parsePromptRef(reference, param);
  // Whether another tenant has such a prompt is nobody's business.
  if (tenant !== caller.tenant) throw notFound(reference, param);
  const resolved = await prompts.resolve(tenant, { name, target }, splitKey);
  if (backbone !== undefined && backbone !== resolved.backbone) throw notFound(reference, param);
  return resolved;
}

function notFound(reference: string, param: string): ApiError {
  const message = `no prompt "${reference}"; GET /v1/prompts lists those of this key`;
  return ApiError.notFound('prompt.not_found', message, param);
}
