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
  const bundled = join(root, 'models', backbone);
  if (existsSync(join(bundled, 'config.json'))) return findBackbone(bundled);
  return findBackbone(backbone, { folder: join(home, 'backbones'), stored: backbones });
}
