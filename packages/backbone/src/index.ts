export type { Checkpoint, WeightDtype, WeightRef } from './checkpoint.ts';
export { openCheckpoint } from './checkpoint.ts';
export type { BackboneSpec, Family } from './config.ts';
export {
  checkPromptLength,
  maxPromptLength,
  parseConfig,
  SUPPORTED_MODEL_TYPES,
  usableTokens,
} from './config.ts';
export { writeBackbone } from './convert.ts';
export {
  DEVICE_CHOICES,
  type Device,
  type DeviceChoice,
  precisionOf,
  providersOf,
  resolveDevice,
  usableDevice,
} from './device.ts';
export type { Encoding, LimitOptions, Offset } from './encoding.ts';
export type { BackboneErrorCode } from './errors.ts';
export { BackboneError } from './errors.ts';
export type { FingerprintOptions, HashedFile } from './fingerprint.ts';
export {
  defaultCacheDir,
  fingerprintOf,
  fingerprintOfFiles,
  hashFiles,
  rememberHashes,
} from './fingerprint.ts';
export {
  type PooledRow,
  type PoolingRule,
  poolWeights,
  type TokenBatch,
  type TokenRow,
  tokenBatch,
  usesPooler,
} from './graphs/batch.ts';
export { compileSoftPrompt } from './graphs/compile-soft.ts';
export type { PositionRule } from './graphs/positions.ts';
export {
  type ReparameterisationGraph,
  type ReparameterisationOptions,
  reparameterisationGraph,
} from './graphs/reparameterisation.ts';
export { RowPrefixes } from './graphs/row-prefixes.ts';
export { type PromptKind, type ServingGraph, servingGraph } from './graphs/serving.ts';
export {
  GRADIENT,
  type LossKind,
  type TrainingGraph,
  type TrainingGraphOptions,
  type TuningMethod,
  trainingGraph,
} from './graphs/training.ts';
export { PRECISIONS, type Precision, WEIGHT_INPUT, weightFolder } from './graphs/weights.ts';
export type { CanonicalName, ExpectedTensor } from './names.ts';
export { expectedTensors, poolerTensors } from './names.ts';
export type { Backbone, OpenOptions } from './open.ts';
export { openBackbone } from './open.ts';
export {
  Predictor,
  type PredictorOptions,
  type PredictRow,
  type PromptTensors,
  type RowLogits,
  tensorsOf,
} from './predictor.ts';
export type { SpecialIds, TextInput } from './tokenizer.ts';
export { Tokenizer } from './tokenizer.ts';
export type { TensorRef, WeightFile } from './weight-files.ts';
