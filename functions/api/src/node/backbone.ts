import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openBackbone } from '@polyprompt/backbone';
import { isName, NAME_RULE } from '@polyprompt/contract';
import { MODELS_FOLDER } from '../config.ts';
import type { ServedBackbone } from '../deps.ts';
import { StartError } from './start-error.ts';

/**
 * Finds the backbone that a setting means: a model folder, or the name of one that ships.
 * @throws StartError; BackboneError when the folder is not a usable backbone
 */
export async function findBackbone(
  setting: string,
): Promise<{ readonly dir: string; readonly served: ServedBackbone }> {
  const candidates = [resolve(setting), join(MODELS_FOLDER, setting)];
  const folder = candidates.find((path) => existsSync(join(path, 'config.json')));
  if (folder === undefined) {
    throw new StartError(
      `POLYPROMPT_BACKBONE is ${JSON.stringify(setting)}; it must be a model folder, or the name of one in ${MODELS_FOLDER}`,
    );
  }
  const backbone = openBackbone(folder);
  if (!isName(backbone.name)) {
    throw new StartError(
      `POLYPROMPT_BACKBONE is the folder "${backbone.name}", whose name is the backbone's id; it must be ${NAME_RULE}`,
    );
  }
  const { mtimeMs } = statSync(join(backbone.dir, 'config.json'));
  return {
    dir: backbone.dir,
    served: {
      id: backbone.name,
      fingerprint: await backbone.fingerprint(),
      created: Math.floor(mtimeMs / 1000),
    },
  };
}
