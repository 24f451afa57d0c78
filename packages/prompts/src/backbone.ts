import { PromptError } from './errors.ts';
import type { Prompt } from './prompt.ts';

/** A backbone as prompts refer to it. */
export interface BackboneIdentity {
  readonly name: string;
  /** `sha256:...` over config, tokenizer and weights. */
  readonly fingerprint: string;
}

/**
 * Refuses a prompt that was trained on another backbone: its numbers would mean nothing there.
 * @throws PromptError `wrong_backbone` naming both
 */
export function assertBackbone(
  prompt: Pick<Prompt, 'backbone' | 'backboneName'>,
  loaded: BackboneIdentity,
): void {
  if (prompt.backbone === loaded.fingerprint) return;
  throw new PromptError(
    'wrong_backbone',
    `the prompt was trained on backbone "${prompt.backboneName}" (${prompt.backbone}), ` +
      `the loaded one is "${loaded.name}" (${loaded.fingerprint}); ` +
      'load the backbone it was trained on, or train the prompt again on this one',
  );
}
