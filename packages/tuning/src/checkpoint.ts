/**
 * A run's complete state in one file: what is needed to continue bit for bit. Written atomically,
 * so that a kill at any moment leaves the last complete one.
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
  optimizerStep: z.int(),
  best: Evaluated.nullable(),
  history: z.array(Evaluated),
  /** Seconds of training, all parts of an interrupted run together. */
  seconds: z.number(),
  /** Tokens trained on, padding not counted. */
  tokens: z.int(),
});
export type Progress = z.infer<typeof Progress>;

/** What must agree for a checkpoint to continue a run; values are hashes or settings as JSON. */
export type Identity = Readonly<Record<string, string>>;

export interface TrainingState {
  progress: Progress;
  readonly parameters: readonly Float32Array[];
  readonly moments: AdamWState['moments'];
  /** Parameters of the best version so far. */
  readonly best: readonly Float32Array[];
}

const FORMAT = '1';

/** Replaces the checkpoint at `path`; durable when it returns. */
export function writeCheckpoint(
  path: string,
  names: readonly string[],
  state: TrainingState,
  identity: Identity,
): void {
  const tensors = names.flatMap((name, i) => {
    const all = {
      parameter: state.parameters[i]!,
      m: state.moments[i]!.m,
      v: state.moments[i]!.v,
      best: state.best[i]!,
    };
    return Object.entries(all).map(
      ([kind, data]) =>
        [`${kind}/${name}`, { dtype: 'F32' as const, shape: [data.length], data }] as const,
    );
  });
  writeSafetensors(path, new Map(tensors), {
    format: FORMAT,
    progress: JSON.stringify(state.progress),
    identity: JSON.stringify(identity),
  });
}

/**
 * Loads the checkpoint at `path` into the arrays of `state`.
 * @returns false when there is none
 * @throws TuningError `bad_checkpoint` or, naming what differs, `checkpoint_mismatch`
 */
export function readCheckpoint(
  path: string,
  names: readonly string[],
  state: TrainingState,
  identity: Identity,
): boolean {
  if (!existsSync(path)) return false;
  const { tensors, metadata } = decode(path);
  if (metadata.format !== FORMAT) throw damaged(path, `its format is ${metadata.format}`);
  const saved = JSON.parse(metadata.identity ?? '{}') as Identity;
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
  names.forEach((name, i) => {
    const targets = {
      parameter: state.parameters[i]!,
      m: state.moments[i]!.m,
      v: state.moments[i]!.v,
      best: state.best[i]!,
    };
    for (const [kind, target] of Object.entries(targets)) {
      const tensor = tensors.get(`${kind}/${name}`);
      if (!tensor || tensor.data.length !== target.length)
        throw damaged(path, `no ${kind}/${name}`);
      target.set(tensor.data as Float32Array);
    }
  });
  state.progress = Progress.parse(JSON.parse(metadata.progress ?? '{}'));
  return true;
}

function decode(path: string) {
  try {
    return decodeSafetensors(readFileSync(path), path);
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw damaged(path, cause.message, cause);
    throw cause;
  }
}

function damaged(path: string, why: string, cause?: unknown): TuningError {
  return new TuningError(
    'bad_checkpoint',
    `${path} is no usable checkpoint: ${why}; delete it and start anew`,
    { cause },
  );
}
