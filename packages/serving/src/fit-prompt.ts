import { type Backbone, BackboneError, checkPromptLength, usesPooler } from '@polyprompt/backbone';
import { assertBackbone, type Prompt, PromptError, promptLength } from '@polyprompt/prompts';
import { ServingError } from './errors.ts';

/**
 * Refuses a prompt that this backbone cannot run: nothing that is served is computed by accident.
 * @throws ServingError `prompt_unfit`, with the PromptError or BackboneError as cause where there is one
 */
export function checkFit(
  key: string,
  prompt: Prompt,
  { name, spec, checkpoint }: Backbone,
  fingerprint: string,
): void {
  const unfit = (why: string, cause?: unknown) =>
    new ServingError('prompt_unfit', `prompt "${key}" cannot be served: ${why}`, { cause });
  try {
    assertBackbone(prompt, { name, fingerprint });
    checkPromptLength(spec, promptLength(prompt));
  } catch (cause) {
    if (cause instanceof PromptError || cause instanceof BackboneError) {
      throw unfit(cause.message, cause);
    }
    throw cause;
  }
  const { layers, heads, headDim, hidden } = spec;
  const { prefix, softPrompt, denseWeight, denseBias, headWeight, headBias, pooling } = prompt;
  const classes = prompt.labels.length;
  const expected = [
    ['prefix', prefix, [layers, 2, heads, prefix?.shape[3], headDim]],
    ['soft_prompt', softPrompt, [softPrompt?.shape[0], hidden]],
    ['head.dense.weight', denseWeight, [hidden, hidden]],
    ['head.dense.bias', denseBias, [hidden]],
    ['head.weight', headWeight, [hidden, classes]],
    ['head.bias', headBias, [classes]],
  ] as const;
  for (const [tensor, found, shape] of expected) {
    if (found && String(found.shape) !== String(shape)) {
      throw unfit(`its ${tensor} is [${found.shape}], "${name}" takes [${shape}]`);
    }
  }
  if (usesPooler(pooling) && !checkpoint.hasPooler) {
    throw unfit(`it reads the pooler, which "${name}" does not have`);
  }
}
