export type { BackboneIdentity } from './backbone.ts';
export { assertBackbone } from './backbone.ts';
export { contentHash } from './canonical.ts';
export {
  assertSameBytes,
  CARD_FILE,
  CardDetails,
  DataFile,
  decodeCard,
  encodeCard,
  Metrics,
  makeCard,
  PromptCard,
} from './card.ts';
export type { EncodeOptions } from './encode.ts';
export { decodePrompt, encodePrompt, FORMAT_VERSION, PROMPT_FILE } from './encode.ts';
export type { PromptErrorCode } from './errors.ts';
export { PromptError } from './errors.ts';
export type { PackedPrompt, PromptVersion, ReadOptions } from './folder.ts';
export { packPrompt, readPrompt, unpackPrompt, verifyPrompt, writePrompt } from './folder.ts';
export * from './peft/index.ts';
export type { PoolingRule, Prompt, PromptSettings, Tensor } from './prompt.ts';
export {
  Answering,
  checkPrompt,
  METHODS,
  POOLING_RULES,
  POSITION_RULES,
  parameterCount,
  promptLength,
  TASKS,
  TRAINED_POOLING,
  TrainingSummary,
} from './prompt.ts';
