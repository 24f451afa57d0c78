// Finds the tensors of a backbone in its weight files and checks each one's shape and type before
// anything runs. The result holds references, never the numbers.

import type { BackboneSpec } from './config.ts';
import { BackboneError } from './errors.ts';
import {
  type CanonicalName,
  type ExpectedTensor,
  expectedTensors,
  layoutOf,
  poolerTensors,
} from './names.ts';
import { openWeightFiles, type TensorRef, type WeightFile } from './weight-files.ts';

export type WeightDtype = 'F32' | 'F16' | 'BF16';
export type WeightRef = TensorRef & { readonly dtype: WeightDtype };

export interface Checkpoint {
  readonly dir: string;
  readonly files: readonly WeightFile[];
  /** The tensors that the spec asks for (and the pooler where there is one), in order of use. */
  readonly tensors: ReadonlyMap<CanonicalName, WeightRef>;
  /** Everything in the files by original key, unused tensors included. */
  readonly originals: ReadonlyMap<string, TensorRef>;
  /** Keys that, where present, hold the word embeddings once more, for the output layer. */
  readonly tiedKeys: readonly string[];
  readonly hasPooler: boolean;
  /** Whether the checkpoint can predict words; the output table is the word embeddings. */
  readonly hasLmHead: boolean;
}

/**
 * Opens the weights of a model folder: headers only, however large the files are.
 * @throws BackboneError `tensor_missing`, `tensor_shape` or `unsupported_dtype` naming the tensor, and those of `openWeightFiles`
 */
export function openCheckpoint(dir: string, spec: BackboneSpec): Checkpoint {
  const { files, tensors: originals } = openWeightFiles(dir);
  const { prefixes, tied, lmHead } = layoutOf(spec.family);
  const expected = expectedTensors(spec);
  const prefix = findPrefix(prefixes, expected, originals);
  const tensors = new Map<CanonicalName, WeightRef>();
  const resolve = (tensor: ExpectedTensor) => {
    const keys = tensor.keys.map((key) => prefix + key);
    if (tensor.name === 'embeddings.word') keys.push(...tied);
    tensors.set(tensor.name, requireTensor(dir, tensor, keys, originals));
  };
  expected.forEach(resolve);
  const pooler = poolerTensors(spec);
  const hasPooler = pooler.some(({ keys }) => keys.some((key) => originals.has(prefix + key)));
  if (hasPooler) pooler.forEach(resolve);
  const hasLmHead = tied.includes(lmHead) || originals.has(lmHead);
  return { dir, files, tensors, originals, tiedKeys: tied, hasPooler, hasLmHead };
}

// The prefix under which most tensors are found, so that one missing tensor is named as such.
function findPrefix(
  prefixes: readonly string[],
  expected: readonly ExpectedTensor[],
  originals: ReadonlyMap<string, TensorRef>,
): string {
  let best = { prefix: prefixes[0] ?? '', found: 0 };
  for (const prefix of prefixes) {
    const found = expected.filter(({ keys }) => keys.some((key) => originals.has(prefix + key)));
    if (found.length > best.found) best = { prefix, found: found.length };
  }
  return best.prefix;
}

function requireTensor(
  dir: string,
  expected: ExpectedTensor,
  keys: readonly string[],
  originals: ReadonlyMap<string, TensorRef>,
): WeightRef {
  const found = keys.map((key) => originals.get(key)).find((ref) => ref !== undefined);
  const shape = `[${expected.shape}]`;
  if (found === undefined) {
    throw new BackboneError(
      'tensor_missing',
      `${dir}: the weights lack "${keys[0]}" ${shape} (${expected.name}); config.json and weights do not belong together, or the file is incomplete`,
    );
  }
  if (`[${found.shape}]` !== shape) {
    throw new BackboneError(
      'tensor_shape',
      `${dir}: tensor "${found.name}" (${expected.name}) has shape [${found.shape}], config.json asks for ${shape}`,
    );
  }
  if (!hasWeightDtype(found)) {
    throw new BackboneError(
      'unsupported_dtype',
      `${dir}: tensor "${found.name}" is ${found.dtype}; weights must be F32, F16 or BF16, convert them to one of these`,
    );
  }
  return found;
}

function hasWeightDtype(ref: TensorRef): ref is WeightRef {
  return ref.dtype === 'F32' || ref.dtype === 'F16' || ref.dtype === 'BF16';
}
