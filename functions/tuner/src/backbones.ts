/** Backbones by id, from the folders of this machine or from the object store. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Registry, RegistryError } from '@polyprompt/registry';
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

/** Where `first` knows none, brings the one of the object store to `into`, once. */
export function orStored(
  first: BackboneResolver,
  {
    stored,
    into,
  }: { readonly stored: Pick<Registry['backbones'], 'fetch'>; readonly into: string },
): BackboneResolver {
  return async (id) => {
    try {
      return await first(id);
    } catch (error) {
      if (!(error instanceof TunerError) || error.code !== 'unknown_backbone') throw error;
      return (await stored.fetch(id, { into }).catch(asUnknown)).dir;
    }
  };
}

function asUnknown(error: unknown): never {
  if (!(error instanceof RegistryError) || error.code !== 'backbone_not_found') throw error;
  throw new TunerError('unknown_backbone', `it is not on this machine, and ${error.message}`);
}

function isModel(folder: string): boolean {
  return existsSync(join(folder, 'config.json'));
}
