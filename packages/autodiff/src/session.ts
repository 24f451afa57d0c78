/** ONNX Runtime sessions with the settings that this package relies on. */
import * as ort from 'onnxruntime-node';

export interface SessionOptions {
  /** Folder against which external data is resolved; needed when the graph refers to files. */
  readonly externalFolder?: string;
  /** Threads inside one operator; ONNX Runtime's default (physical cores) when absent. */
  readonly threads?: number;
  /** Execution providers in order of preference; ['cpu'] by default. */
  readonly providers?: readonly ort.InferenceSession.ExecutionProviderConfig[];
  /**
   * Whether constant matrices are copied into the layout that the matrix kernels like best: faster
   * for few rows, but a second copy of the weights in memory. Off by default.
   */
  readonly prepack?: boolean;
  /** Whether ONNX Runtime may rewrite the graph ('all' by default). */
  readonly optimize?: 'disabled' | 'basic' | 'extended' | 'all';
}

/** On the CPU its kernel takes three times as long as the sum and LayerNormalization that it replaces. */
const SLOW_ON_CPU = 'SkipLayerNormFusion';

/** @param wideBytes whether sums of 8-bit products are kept from overflowing where the processor lets them */
export function createSession(
  model: Uint8Array,
  options: SessionOptions,
  wideBytes = false,
): Promise<ort.InferenceSession> {
  const providers = options.providers ?? ['cpu'];
  return ort.InferenceSession.create(model, {
    executionProviders: providers,
    graphOptimizationLevel: options.optimize ?? 'all',
    ...(options.threads ? { intraOpNumThreads: options.threads } : {}),
    extra: {
      session: {
        disable_prepacking: options.prepack ? '0' : '1',
        use_deterministic_compute: '1',
        ...(wideBytes ? { x64quantprecision: '1' } : {}),
        ...(options.externalFolder
          ? { model_external_initializers_file_folder_path: options.externalFolder }
          : {}),
      },
      ...(providers[0] === 'cpu'
        ? { optimization: { disable_specified_optimizers: SLOW_ON_CPU } }
        : {}),
    },
  });
}
