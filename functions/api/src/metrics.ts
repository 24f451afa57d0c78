/** Metrics of inference. Counters come from the engine's own books when somebody asks for them. */
import type { EngineStats } from '@polyprompt/serving';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface InferenceMetrics {
  /** Counts one answered request; times are in milliseconds. */
  answered(request: {
    readonly task: string;
    readonly inputs: number;
    readonly tokens: number;
    readonly queueMs: number;
    readonly inferenceMs: number;
    readonly loadMs: number;
  }): void;
}

const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

export function createInferenceMetrics(
  metrics: Registry,
  stats: () => EngineStats,
): InferenceMetrics {
  const registers = [metrics];
  const byTask = { labelNames: ['task'] as const, registers };
  const inputs = new Counter({
    name: 'polyprompt_inference_inputs_total',
    help: 'Texts answered.',
    ...byTask,
  });
  const tokens = new Counter({
    name: 'polyprompt_inference_tokens_total',
    help: 'Tokens computed, padding not counted.',
    ...byTask,
  });
  const timer = (name: string, help: string) =>
    new Histogram({ name, help, buckets: SECONDS, registers });
  const queue = timer('polyprompt_inference_queue_seconds', 'Time that rows waited for a batch.');
  const compute = timer('polyprompt_inference_compute_seconds', 'Time from first batch to last.');
  const load = timer(
    'polyprompt_inference_load_seconds',
    'Time that requests waited for a prompt.',
  );
  const readings: readonly [string, string, (now: EngineStats) => number][] = [
    [
      'ready',
      'Whether the backbone is loaded and warm.',
      ({ runtime }) => Number(runtime !== null),
    ],
    ['pending_inputs', 'Texts at work or waiting.', ({ pendingInputs }) => pendingInputs],
    ['refused_total', 'Requests refused because of overload.', ({ refused }) => refused],
    ['worker_restarts_total', 'Inference workers that died.', ({ restarts }) => restarts],
    ['waiting_rows', 'Rows that wait for a batch.', ({ batcher }) => batcher.waitingRows],
    ['batches_total', 'Batches computed.', ({ batcher }) => batcher.batches],
    ['batch_rows_total', 'Rows computed.', ({ batcher }) => batcher.rows],
    ['batch_tokens_total', 'Tokens in batches.', ({ batcher }) => batcher.tokens],
    ['padding_tokens_total', 'Padding in batches.', ({ batcher }) => batcher.paddingTokens],
    ['cache_prompts', 'Prompts in memory.', ({ cache }) => cache.entries],
    ['cache_bytes', 'Memory of these.', ({ cache }) => cache.bytes],
    ['cache_pinned_bytes', 'Memory of those in use.', ({ cache }) => cache.pinnedBytes],
    ['cache_hits_total', 'Prompts found in memory.', ({ cache }) => cache.hits],
    ['cache_misses_total', 'Prompts not found there.', ({ cache }) => cache.misses],
    ['cache_loads_total', 'Prompts loaded.', ({ cache }) => cache.loads],
    ['cache_failures_total', 'Loads that failed.', ({ cache }) => cache.failures],
    ['cache_evictions_total', 'Prompts evicted.', ({ cache }) => cache.evictions],
  ];
  for (const [suffix, help, read] of readings) {
    const common = { name: `polyprompt_engine_${suffix}`, help, registers };
    if (suffix.endsWith('_total')) {
      new Counter({
        ...common,
        collect() {
          this.reset();
          this.inc(read(stats()));
        },
      });
    } else {
      new Gauge({
        ...common,
        collect() {
          this.set(read(stats()));
        },
      });
    }
  }
  return {
    answered({ task, inputs: count, tokens: sum, queueMs, inferenceMs, loadMs }) {
      inputs.inc({ task }, count);
      tokens.inc({ task }, sum);
      queue.observe(queueMs / 1000);
      compute.observe(inferenceMs / 1000);
      load.observe(loadMs / 1000);
    },
  };
}
