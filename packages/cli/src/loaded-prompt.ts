/** A prompt folder together with the backbone that it was trained on, ready to predict. */
import {
  type Backbone,
  type DeviceChoice,
  openBackbone,
  type Precision,
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
import type { PromptInUse } from '@polyprompt/tuning';
import { findBackbone } from './backbones/find.ts';
import { modelFolder } from './backbones/folders.ts';

export interface LoadedPrompt extends PromptInUse {
  readonly card: PromptCard;
}

export interface LoadOptions {
  /** Model folder; without it, the one of this machine that the prompt was trained on. */
  readonly backbone?: string;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly precision?: Precision;
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
