/**
 * The complete state of the runs of a job in one file: what is needed to continue bit for bit.
 * Written atomically, so that a kill at any moment leaves the last complete one.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { AdamWState } from '@polyprompt/autodiff';
import { decodeSafetensors, SafetensorsError, writeSafetensors } from '@polyprompt/safetensors';
import { z } from 'zod';
import { TuningError } from './errors.ts';

const Evaluated = z.object({
  step: z.int(),
  /** Mean dev loss. */
  loss: z.number(),
  /** The selection metric on the dev set. */
  metric: z.number(),
});
/** One evaluation on the dev set. */
export type Evaluated = z.infer<typeof Evaluated>;

const Progress = z.object({
  /** Optimizer steps done. */
  step: z.int(),
  best: Evaluated.nullable(),
  history: z.array(Evaluated),
  /** Tokens trained on, padding not counted. */
  tokens: z.int(),
  /** Why the run ended early and without a result. */
  diverged: z.string().nullable(),
});
export type Progress = z.infer<typeof Progress>;

/** What a checkpoint says of itself beside the tensors. */
const Metadata = z.object({
  runs: z.array(z.object({ progress: Progress, optimizerStep: z.int() })),
  seconds: z.number(),
  identity: z.record(z.string(), z.string()),
});

/** What must agree for a checkpoint to continue a run; values are hashes or settings as JSON. */
export type Identity = Readonly<Record<string, string>>;

export interface TrainingState {
  readonly names: readonly string[];
  readonly parameters: readonly Float32Array[];
  readonly optimizer: AdamWState;
  /** Parameters of the best version so far. */
  readonly best: readonly Float32Array[];
  progress: Progress;
}

const FORMAT = '2';

/**
 * Replaces the checkpoint at `path`; durable when it returns.
 * @param states one per run
 * @param seconds of training, all parts of an interrupted job together
 */
export function writeCheckpoint(
  path: string,
  states: readonly TrainingState[],
  seconds: number,
  identity: Identity,
): void {
  const tensors = states.flatMap((state, run) =>
    arraysOf(state, run).map(
      ([name, data]) => [name, { dtype: 'F32' as const, shape: [data.length], data }] as const,
    ),
  );
  writeSafetensors(path, new Map(tensors), {
    format: FORMAT,
    runs: JSON.stringify(
      states.map(({ progress, optimizer }) => ({ progress, optimizerStep: optimizer.step })),
    ),
    seconds: String(seconds),
    identity: JSON.stringify(identity),
  });
}

/**
 * Loads the checkpoint at `path` into the arrays of `states`.
 * @returns the seconds of training so far; null when there is none
 * @throws TuningError `bad_checkpoint` or, naming what differs, `checkpoint_mismatch`
 */
export function readCheckpoint(
  path: string,
  states: readonly TrainingState[],
  identity: Identity,
): number | null {
  if (!existsSync(path)) return null;
  const { tensors, metadata } = decode(path);
  if (metadata.format !== FORMAT) throw damaged(path, `its format is ${metadata.format}`);
  const { runs, seconds, identity: saved } = describe(path, metadata);
  const differing = [...new Set([...Object.keys(identity), ...Object.keys(saved)])].filter(
    (key) => identity[key] !== saved[key],
  );
  if (differing.length > 0) {
    const what = differing.map((key) => `${key} was ${saved[key]}, is ${identity[key]}`).join('; ');
    throw new TuningError(
      'checkpoint_mismatch',
      `${path} belongs to another run: ${what}; give the same settings and data, or start anew ` +
        'without resuming',
    );
  }
  states.forEach((state, run) => {
    for (const [name, target] of arraysOf(state, run)) {
      const tensor = tensors.get(name);
      if (!tensor || tensor.data.length !== target.length) throw damaged(path, `no ${name}`);
      target.set(tensor.data as Float32Array);
    }
    if (!runs[run]) throw damaged(path, `no run ${run}`);
    state.progress = runs[run].progress;
    state.optimizer.step = runs[run].optimizerStep;
  });
  return seconds;
}

/** Every array of a run with its name in the file. */
function arraysOf(state: TrainingState, run: number): [name: string, data: Float32Array][] {
  return state.names.flatMap((name, i) => {
    const { m, v } = state.optimizer.moments[i]!;
    const all = { parameter: state.parameters[i]!, m, v, best: state.best[i]! };
    return Object.entries(all).map(([kind, data]): [string, Float32Array] => [
      `${run}/${kind}/${name}`,
      data,
    ]);
  });
}

function decode(path: string) {
  try {
    return decodeSafetensors(readFileSync(path), path);
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw damaged(path, cause.message, cause);
    throw cause;
  }
}

function describe(path: string, metadata: Readonly<Record<string, string>>) {
  try {
    const parts = ['runs', 'seconds', 'identity'].map((key) => [
      key,
      JSON.parse(metadata[key] ?? ''),
    ]);
    return Metadata.parse(Object.fromEntries(parts));
  } catch (cause) {
    throw damaged(path, 'its description cannot be read', cause);
  }
}

function damaged(path: string, why: string, cause?: unknown): TuningError {
  return new TuningError(
    'bad_checkpoint',
    `${path} is no usable checkpoint: ${why}; delete it and start anew`,
    { cause },
  );
}
