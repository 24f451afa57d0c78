/** What of a job can be judged before it is made and without its data: its settings, and what it continues from. */
import { ApiError, formatPromptId, type PromptSettings } from '@polyprompt/contract';
import { PromptError, unpackPrompt } from '@polyprompt/prompts';
import type { Registry } from '@polyprompt/registry';
import {
  type JobSettings,
  type Parent,
  readJobSettings,
  settingsRefusal,
} from '@polyprompt/tuner/settings';
import type { Caller } from '../call.ts';
import type { ServedBackbone } from '../deps.ts';
import { resolvePrompt } from '../prompt-access.ts';

/** What the tuner would refuse, told before there is a job. @throws ApiError `settings.invalid` */
export function checkSettings(
  job: JobSettings,
  { traits }: ServedBackbone,
  parent?: PinnedParent,
): void {
  try {
    readJobSettings(job, traits, parent);
  } catch (error) {
    const refusal = settingsRefusal(error);
    if (!refusal) throw error;
    throw ApiError.badRequest('settings.invalid', refusal.message, refusal.param);
  }
}

export interface PinnedParent extends Pick<Parent, 'prompt' | 'ref'> {
  /** Of the version. */
  readonly id: string;
}

/**
 * The version that `prompt.from` means now: an alias may move before the job begins.
 * @throws ApiError `settings.invalid` for a version of another backbone, and as `resolvePrompt`
 */
export async function parentOf(
  registry: Pick<Registry, 'prompts'>,
  caller: Caller,
  { from }: PromptSettings,
  served: ServedBackbone,
): Promise<PinnedParent | undefined> {
  if (from === undefined) return undefined;
  const { tenant, name, version, backbone } = await resolvePrompt(
    registry,
    caller,
    from,
    caller.keyId,
    'prompt.from',
  );
  const packed = await registry.prompts.read(tenant, name, version);
  const id = formatPromptId({ backbone, tenant, name, version });
  try {
    const { fingerprint } = served;
    const { prompt } = unpackPrompt(packed, { backbone: { name: served.id, fingerprint } });
    return { id, ref: from, prompt };
  } catch (error) {
    if (!(error instanceof PromptError)) throw error;
    const message = `prompt.from: cannot continue from ${from}: ${error.message}`;
    throw ApiError.badRequest('settings.invalid', message, 'prompt.from');
  }
}
