/** A backbone's tensors as graph values: references into the weight files, or inputs when tuned. */
import { realpathSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { cast, type DType, type Graph, type Value } from '@polyprompt/autodiff';
import type { Checkpoint, WeightDtype } from '../checkpoint.ts';
import type { CanonicalName } from '../names.ts';

/** The value of a tensor, by its canonical name: float32, but for `linear` see `Precision`. */
export type Weights = (name: CanonicalName) => Value;

const DTYPES: Record<WeightDtype, DType> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** Prefix of the input names of tuned weights, in front of the canonical name. */
export const WEIGHT_INPUT = 'weight:';

/**
 * What the large matrices are multiplied in. With float16, as GPUs are made for, they take half the memory and
 * their inputs are rounded; everything between them (the sums of the layers, LayerNorm, softmax, attention with
 * its prefix, heads) stays float32.
 */
export type Precision = 'float32' | 'float16';

const LINEAR = /^layers\.\d+\.(attention|mlp)\.(query|key|value|output|up|down)\.weight$/;

/**
 * Frozen weights stay in their files and are converted once, when the session is made: half-precision ones are
 * widened, those of the linear layers take the precision asked for.
 */
export function frozenWeights(
  graph: Graph,
  checkpoint: Checkpoint,
  precision: Precision = 'float32',
): Weights {
  const folder = weightFolder(checkpoint);
  return memoised((name) => {
    const ref = checkpoint.tensors.get(name);
    if (!ref) throw new Error(`the checkpoint has no tensor ${name}`);
    const location = relative(folder, realpathSync(ref.file));
    const data = { location, offset: ref.offset, length: ref.byteLength };
    const stored = graph.external(name, DTYPES[ref.dtype], ref.shape, data);
    return cast(stored, LINEAR.test(name) ? precision : 'float32');
  });
}

/**
 * The folder to compile against: the nearest one that holds all weight files. ONNX Runtime refuses
 * locations outside of it, also through links, and the Hugging Face cache is made of links.
 */
export function weightFolder(checkpoint: Checkpoint): string {
  const files = checkpoint.files.map(({ path }) => realpathSync(path));
  let folder = dirname(files[0]!);
  while (files.some((file) => relative(folder, file).startsWith('..'))) folder = dirname(folder);
  return folder;
}

/** Weights fed at every run, for full fine-tuning. */
export function tunedWeights(graph: Graph, checkpoint: Checkpoint): Weights {
  return memoised((name) => {
    const ref = checkpoint.tensors.get(name);
    if (!ref) throw new Error(`the checkpoint has no tensor ${name}`);
    return graph.input(WEIGHT_INPUT + name, 'float32', ref.shape);
  });
}

function memoised(make: (name: CanonicalName) => Value): Weights {
  const values = new Map<CanonicalName, Value>();
  return (name) => {
    let value = values.get(name);
    if (!value) {
      value = make(name);
      values.set(name, value);
    }
    return value;
  };
}
