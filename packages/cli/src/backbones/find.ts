/** The model of a prompt, looked for by name and recognised by its fingerprint. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Backbone, openBackbone } from '@polyprompt/backbone';
import { TUNED_BACKBONE } from '@polyprompt/tuning';
import { CliError } from '../errors.ts';
import { shippedBackbone } from '../options.ts';
import { listModels } from './folders.ts';

/** What a prompt, or an adapter of one, says of its model. */
export interface WantedBackbone {
  readonly backboneName: string;
  /** Its fingerprint. */
  readonly backbone: string;
}

/**
 * The prompt's own model after full fine-tuning, else the one of this machine that it was trained on.
 * @param dir the prompt's folder
 * @throws CliError `backbone_needed`; BackboneError where a folder of the right name is damaged
 */
export async function findBackbone(dir: string, wanted: WantedBackbone): Promise<Backbone> {
  const { backboneName, backbone: fingerprint } = wanted;
  const own = join(dir, TUNED_BACKBONE);
  const candidates = [
    ...(existsSync(own) ? [own] : []),
    ...listModels().filter((folder) => basename(folder) === backboneName),
    // Under another name, too: it is at hand, and small.
    shippedBackbone(),
  ];
  for (const folder of new Set(candidates)) {
    if (folder === undefined) continue;
    const backbone = openBackbone(folder);
    if ((await backbone.fingerprint()) === fingerprint) return backbone;
  }
  throw new CliError(
    'backbone_needed',
    `${dir} was trained on backbone "${backboneName}" (${fingerprint}), which is not on this machine; ` +
      'give its folder with --backbone DIR',
  );
}
