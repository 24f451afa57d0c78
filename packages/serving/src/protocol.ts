/** What the HTTP thread and an inference worker say to each other. */
import type {
  Device,
  DeviceChoice,
  Precision,
  PromptKind,
  PromptTensors,
} from '@polyprompt/backbone';

export interface WorkerSettings {
  readonly backboneDir: string;
  readonly device: DeviceChoice;
  /** Of the large matrices; the device's own when absent. */
  readonly precision?: Precision | undefined;
  /** Threads inside one operator. */
  readonly threads: number;
  /** The graphs that are built, and run once, before the worker is ready; others when first needed. */
  readonly graphs: readonly PromptKind[];
}

/** Where a worker computes, and what it multiplies the large matrices in. */
export interface Runtime {
  readonly device: Device;
  readonly precision: Precision;
}

/** One row of a batch. */
export interface InferenceRow {
  /** Number under which its prompt was loaded. */
  readonly prompt: number;
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** Which logits are wanted: `[classes]` or `[tokens, classes]`. */
  readonly output: 'pooled' | 'tokens';
}

export type ToWorker =
  | { readonly type: 'load'; readonly prompt: number; readonly tensors: PromptTensors }
  | { readonly type: 'drop'; readonly prompt: number }
  | { readonly type: 'run'; readonly run: number; readonly rows: readonly InferenceRow[] }
  | { readonly type: 'close' };

export type FromWorker =
  | { readonly type: 'ready'; readonly runtime: Runtime }
  | { readonly type: 'start_failed'; readonly failure: Failure }
  | {
      readonly type: 'logits';
      readonly run: number;
      /** Of all rows, one after the other. */
      readonly logits: Float32Array;
      readonly lengths: readonly number[];
    }
  | { readonly type: 'run_failed'; readonly run: number; readonly failure: Failure };

/** An error as it crosses threads. */
export interface Failure {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
  readonly stack?: string;
}

export function toFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, code, message, stack } = error as Error & { code?: unknown };
  return {
    name,
    message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(stack ? { stack } : {}),
  };
}

export function fromFailure({ message, ...rest }: Failure): Error {
  return Object.assign(new Error(message), rest);
}
