/** @module For tests and benches: prompts of arbitrary numbers. */
export {
  EMPTY_DETAILS,
  packedTinyPrompt,
  type TinyPromptOptions,
  type TinyPromptShape,
  tinyPrompt,
} from './tiny-prompt.ts';
