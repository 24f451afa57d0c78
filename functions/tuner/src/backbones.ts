/** Backbones by id, from the folders of this machine. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { TunerError } from './errors.ts';

/** The folder of a backbone. @throws TunerError `unknown_backbone` */
export type BackboneResolver = (id: string) => Promise<string>;

export interface LocalBackbones {
  /** A model folder; its name is its id. */
  readonly folder?: string;
  /** A folder of model folders, each named by its id. */
  readonly models: string;
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Looks up ids among the folders given. */
export function localBackbones({ folder, models }: LocalBackbones): BackboneResolver {
  return async (id) => {
    if (folder !== undefined && existsSync(folder) && basename(realpathSync(folder)) === id) {
      return folder;
    }
    // An id names a folder and nothing else: a path in it would reach outside of `models`.
    if (ID.test(id) && isModel(join(models, id))) return join(models, id);
    const known = [
      ...(folder === undefined ? [] : [basename(folder)]),
      ...(existsSync(models)
        ? readdirSync(models).filter((name) => isModel(join(models, name)))
        : []),
    ];
    throw new TunerError(
      'unknown_backbone',
      `backbone ${JSON.stringify(id)} is not on this machine; it has ${known.join(', ') || 'none'}`,
    );
  };
}

function isModel(folder: string): boolean {
  return existsSync(join(folder, 'config.json'));
}
