/** Which backbone an instance serves: one of the bundle, or one of the bucket, fetched once. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Registry } from '@polyprompt/registry';
import type { Config } from '../config.ts';
import { findBackbone } from '../node/backbone.ts';

/** @throws StartError, BackboneError, RegistryError, StorageError */
export async function openServedBackbone(
  { backbone, home }: Config,
  root: string,
  { backbones }: Pick<Registry, 'backbones'>,
): ReturnType<typeof findBackbone> {
  const bundled = [join(root, 'models', backbone), backbone].find((folder) =>
    existsSync(join(folder, 'config.json')),
  );
  if (bundled !== undefined) return findBackbone(bundled);
  const { dir } = await backbones.fetch(backbone, { into: join(home, 'backbones') });
  return findBackbone(dir);
}
