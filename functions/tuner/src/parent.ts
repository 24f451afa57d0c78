/** The version that a job continues from, fetched into its private folder. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parsePromptRef } from '@polyprompt/contract';
import { CARD_FILE, PROMPT_FILE } from '@polyprompt/prompts';
import { type Job, type Registry, RegistryError } from '@polyprompt/registry';
import type { ParentSource } from '@polyprompt/tuning';
import { TunerError } from './errors.ts';

/**
 * @param from id of the version, as the job was created with
 * @throws TunerError `parent_gone`
 */
export async function fetchParent(
  { prompts }: Pick<Registry, 'prompts'>,
  job: Job,
  from: string,
  folder: string,
): Promise<ParentSource> {
  const { name, target } = parsePromptRef(from, 'prompt.from');
  try {
    // Of the job's own tenant, whatever the reference says; the API has let no other pass.
    const { version } = await prompts.resolve(job.tenant, { name, target });
    const { prompt, card } = await prompts.read(job.tenant, name, version);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, PROMPT_FILE), prompt);
    await writeFile(join(folder, CARD_FILE), card);
    return { folder, ref: from };
  } catch (cause) {
    if (!(cause instanceof RegistryError) || !/^(prompt|version)_not_found$/.test(cause.code)) {
      throw cause;
    }
    throw new TunerError(
      'parent_gone',
      `prompt.from ${from} was deleted before the job could read it; create a job without it`,
      { param: 'prompt.from', cause },
    );
  }
}
