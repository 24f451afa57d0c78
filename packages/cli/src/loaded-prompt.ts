/** A prompt folder together with the backbone that it was trained on, ready to predict. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Backbone,
  type DeviceChoice,
  openBackbone,
  Predictor,
  usableTokens,
} from '@polyprompt/backbone';
import {
  assertBackbone,
  type Prompt,
  type PromptCard,
  promptLength,
  readPrompt,
} from '@polyprompt/prompts';
import { type PromptInUse, TUNED_BACKBONE } from '@polyprompt/tuning';
import { modelFolder, pulledFolder } from './backbones/folders.ts';
import { CliError } from './errors.ts';
import { shippedBackbone } from './options.ts';

export interface LoadedPrompt extends PromptInUse {
  readonly card: PromptCard;
}

export interface LoadOptions {
  /** Model folder; without it, the prompt's own `backbone/` or the one that ships with the project. */
  readonly backbone?: string;
  readonly device?: DeviceChoice;
  readonly threads?: number;
}

/** @throws PromptError, BackboneError, CliError `backbone_needed` */
export async function loadPrompt(dir: string, options: LoadOptions = {}): Promise<LoadedPrompt> {
  const { prompt, card } = readPrompt(dir);
  const backbone =
    options.backbone === undefined
      ? await findBackbone(dir, prompt)
      : await requireBackbone(options.backbone, prompt);
  const room = usableTokens(backbone.spec, promptLength(prompt));
  return { prompt, card, backbone, predictor: new Predictor(backbone, options), room };
}

async function requireBackbone(dir: string, prompt: Prompt): Promise<Backbone> {
  const backbone = openBackbone(modelFolder(dir));
  assertBackbone(prompt, { name: backbone.name, fingerprint: await backbone.fingerprint() });
  return backbone;
}

async function findBackbone(dir: string, prompt: Prompt): Promise<Backbone> {
  const own = join(dir, TUNED_BACKBONE);
  const pulled = join(pulledFolder(), prompt.backboneName);
  const candidates = [
    existsSync(own) ? own : undefined,
    existsSync(pulled) ? pulled : undefined,
    shippedBackbone(),
  ];
  for (const candidate of candidates) {
    if (candidate === undefined) continue;
    const backbone = openBackbone(candidate);
    if ((await backbone.fingerprint()) === prompt.backbone) return backbone;
  }
  throw new CliError(
    'backbone_needed',
    `${dir} was trained on backbone "${prompt.backboneName}" (${prompt.backbone}), which does not ` +
      'ship with polyprompt; give its folder with --backbone DIR',
  );
}
