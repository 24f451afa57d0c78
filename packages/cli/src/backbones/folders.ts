/** Where model folders lie on this machine, and which one a name means. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from '../errors.ts';

/** Folders of model folders, each named by its id; the first that has a name wins. */
export function modelFolders(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  return [fileURLToPath(new URL('../../../../models', import.meta.url)), pulledFolder(env)];
}

/** Where pulled models lie, which is where the service of the same home looks. */
export function pulledFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.POLYPROMPT_HOME || '.polyprompt', 'backbones');
}

/**
 * The folder that a folder or a name means.
 * @throws CliError `no_such_file` with the names that there are
 */
export function modelFolder(folderOrName: string, env?: NodeJS.ProcessEnv): string {
  if (existsSync(folderOrName)) return folderOrName;
  const places = modelFolders(env);
  if (!/[/\\]/.test(folderOrName)) {
    const found = places.map((place) => join(place, folderOrName)).find(isModel);
    if (found !== undefined) return found;
  }
  const known = listModels(places).map((folder) => basename(folder));
  throw new CliError(
    'no_such_file',
    `${folderOrName} is not a model folder: it does not exist, and this machine has no model of that name, but ${known.join(', ') || 'none at all'}; "polyprompt backbone pull" brings one from the hub`,
  );
}

/** Every model folder in these places. */
export function listModels(places: readonly string[] = modelFolders()): string[] {
  return places.flatMap((place) =>
    existsSync(place)
      ? readdirSync(place)
          .toSorted()
          .map((name) => join(place, name))
          .filter((folder) => isModel(folder) && !folder.endsWith('.part'))
      : [],
  );
}

function isModel(folder: string): boolean {
  return existsSync(join(folder, 'config.json'));
}
