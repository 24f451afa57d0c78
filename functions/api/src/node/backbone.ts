import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Backbone, maxPromptLength, openBackbone } from '@polyprompt/backbone';
import { isName, NAME_RULE } from '@polyprompt/contract';
import { peftBackbone } from '@polyprompt/prompts';
import type { Registry } from '@polyprompt/registry';
import { traitsOf } from '@polyprompt/tuner/settings';
import { MODELS_FOLDER } from '../config.ts';
import type { ServedBackbone } from '../deps.ts';
import { hasCode } from '../errors.ts';
import { StartError } from './start-error.ts';

/** Where backbones are that do not ship. */
export interface MoreBackbones {
  /** Folder of model folders on this machine, each named by its id. */
  readonly folder: string;
  /** Those of the object store, which are brought to `folder`. */
  readonly stored: Pick<Registry['backbones'], 'fetch'>;
}

/**
 * Finds the backbone that a setting means: a model folder, the name of one that ships or was pulled, or the id
 * of one in the object store.
 * @throws StartError; BackboneError when the folder is not a usable backbone; RegistryError, StorageError when
 * it cannot be fetched
 */
export async function findBackbone(setting: string, more?: MoreBackbones): Promise<Backbone> {
  const candidates = [resolve(setting), join(MODELS_FOLDER, setting)];
  if (more) candidates.push(join(more.folder, setting));
  const folder =
    candidates.find((path) => existsSync(join(path, 'config.json'))) ??
    (await fetchBackbone(setting, more));
  if (folder === undefined) {
    const places = [MODELS_FOLDER, ...(more ? [more.folder, 'the object store'] : [])];
    throw new StartError(
      `POLYPROMPT_BACKBONE is ${JSON.stringify(setting)}; it must be a model folder, or the name of one in ${places.join(' or ')}`,
    );
  }
  const backbone = openBackbone(folder);
  if (!isName(backbone.name)) {
    throw new StartError(
      `POLYPROMPT_BACKBONE is the folder "${backbone.name}", whose name is the backbone's id; it must be ${NAME_RULE}`,
    );
  }
  return backbone;
}

/** What the API says of a backbone. Its hash takes seconds for a large one that was not hashed before. */
export async function describeBackbone(backbone: Backbone): Promise<ServedBackbone> {
  const { mtimeMs } = statSync(join(backbone.dir, 'config.json'));
  return {
    id: backbone.name,
    fingerprint: await backbone.fingerprint(),
    created: Math.floor(mtimeMs / 1000),
    traits: traitsOf(backbone),
    peft: () => peftBackbone(backbone, maxPromptLength(backbone.spec)),
  };
}

async function fetchBackbone(
  id: string,
  more: MoreBackbones | undefined,
): Promise<string | undefined> {
  try {
    return (await more?.stored.fetch(id, { into: more.folder }))?.dir;
  } catch (error) {
    if (hasCode(error, 'backbone_not_found')) return undefined;
    throw error;
  }
}
