export type { BatcherStats } from './batcher.ts';
export {
  createEngine,
  type Engine,
  type EngineOptions,
  type EngineStats,
  type LoadPrompt,
} from './engine.ts';
export { ServingError, type ServingErrorCode, type TooLong } from './errors.ts';
export { SERVING_LIMITS, type ServingLimits, withDefaults } from './limits.ts';
export type { CacheStats } from './prompt-cache.ts';
export type { Runtime } from './protocol.ts';
export type { InferRequest, InferResult, Timing } from './request.ts';
export { type PoolOptions, WorkerPool } from './worker-pool.ts';
