/**
 * What the store knows of a backbone, in one document that is written last: a backbone without it is not there.
 * Every file lies under its own hash, so an object that exists is the right one, an interrupted push is taken
 * up file by file, and a reader of the old manifest is not disturbed by a new one.
 */
import { fingerprintOfFiles } from '@polyprompt/backbone/fingerprint';
import { backboneKeys } from '@polyprompt/storage';
import { z } from 'zod';
import { RegistryError } from '../errors.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const BackboneFile = z.object({
  /** In the model folder; a plain name, since it becomes one on other machines. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  bytes: z.int().nonnegative(),
  sha256: Sha256,
});

/** `backbones/<id>/manifest.json` */
export const BackboneManifest = z.object({
  format: z.literal(1),
  id: z.string(),
  fingerprint: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  /** ISO 8601, UTC. */
  created: z.iso.datetime(),
  files: z.array(BackboneFile).min(1),
});

export type BackboneFile = z.infer<typeof BackboneFile>;
export type BackboneManifest = z.infer<typeof BackboneManifest>;

export const manifestKey = (id: string) => backboneKeys(id).file('manifest.json');

/** `backbones/<id>/<sha256>/<name>` */
export const contentKey = (id: string, { name, sha256 }: BackboneFile) =>
  backboneKeys(id).file(`${sha256}/${name}`);

export function totalBytes(files: readonly BackboneFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** @throws RegistryError `backbone_damaged` if the files listed do not make up the fingerprint */
export function assertConsistent(manifest: BackboneManifest): BackboneManifest {
  const actual = fingerprintOfFiles(manifest.files);
  if (actual === manifest.fingerprint) return manifest;
  throw new RegistryError(
    'backbone_damaged',
    `${manifestKey(manifest.id)} lists files of the fingerprint ${actual}, but says ${manifest.fingerprint}; push the backbone again with --replace`,
  );
}
