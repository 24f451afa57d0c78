// Writes a model folder in Hugging Face layout whose weights differ from an opened one: what full
// fine-tuning leaves behind. Tensors pass through one at a time, so memory holds the largest of them
// and not the model.

import { randomUUID } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { elementCount, readFloat32, readTensor } from '@polyprompt/safetensors';
import type { Checkpoint } from './checkpoint.ts';
import { BackboneError } from './errors.ts';
import type { CanonicalName } from './names.ts';
import type { TensorRef } from './weight-files.ts';

/** Files of a model folder, beside config and weights, that a copy of it needs. */
const COPIED = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'sentencepiece.bpe.model',
  'sentencepiece.model',
  'spiece.model',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'generation_config.json',
];

const FLOATS: readonly string[] = ['F32', 'F16', 'BF16', 'F64'];

/**
 * Writes a new model folder: float weights as float32 under their original keys, those in `replaced`
 * with the given values, config and tokenizer files as they are. The folder appears complete or not at all.
 * @param dir must not exist yet, or be empty
 * @param replaced row-major values by canonical name; the checkpoint's own values stand for the rest
 * @throws BackboneError `folder_exists`; `tensor_missing` or `tensor_shape` for a replacement that does not fit
 */
export function writeBackbone(
  dir: string,
  source: Checkpoint,
  replaced: ReadonlyMap<CanonicalName, Float32Array>,
): void {
  const target = resolve(dir);
  if (existsSync(target) && readdirSync(target).length > 0) {
    throw new BackboneError('folder_exists', `${dir} is not empty; choose a new folder`);
  }
  const replacedByKey = replacementsByKey(source, replaced);
  const written = [...source.originals.values()].filter(
    (ref) => !isStaleCopy(source, ref, replacedByKey),
  );
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
  try {
    mkdirSync(temporary, { recursive: true });
    writeWeights(join(temporary, 'model.safetensors'), written, replacedByKey);
    writeFileSync(join(temporary, 'config.json'), float32Config(join(source.dir, 'config.json')));
    for (const name of COPIED) {
      const from = join(source.dir, name);
      if (existsSync(from)) copyFileSync(from, join(temporary, name));
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

function replacementsByKey(
  source: Checkpoint,
  replaced: ReadonlyMap<CanonicalName, Float32Array>,
): ReadonlyMap<string, Float32Array> {
  const byKey = new Map<string, Float32Array>();
  for (const [name, values] of replaced) {
    const ref = source.tensors.get(name);
    if (ref === undefined) {
      throw new BackboneError(
        'tensor_missing',
        `the checkpoint ${source.dir} has no ${name} to replace`,
      );
    }
    if (values.length !== elementCount(ref.shape)) {
      throw new BackboneError(
        'tensor_shape',
        `the replacement of ${name} has ${values.length} values, [${ref.shape}] needs ${elementCount(ref.shape)}`,
      );
    }
    byKey.set(ref.name, values);
  }
  return byKey;
}

// A second copy of the word embeddings, kept for an output layer that shares them, would no longer
// be equal; without it a reader ties the two again.
function isStaleCopy(
  source: Checkpoint,
  ref: TensorRef,
  replaced: ReadonlyMap<string, Float32Array>,
): boolean {
  const word = source.tensors.get('embeddings.word');
  return (
    word !== undefined &&
    replaced.has(word.name) &&
    ref.name !== word.name &&
    source.tiedKeys.includes(ref.name)
  );
}

function writeWeights(
  path: string,
  tensors: readonly TensorRef[],
  replaced: ReadonlyMap<string, Float32Array>,
): void {
  const fd = openSync(path, 'wx');
  try {
    writeAll(fd, encodeHeader(tensors));
    for (const ref of tensors) {
      const data =
        replaced.get(ref.name) ??
        (FLOATS.includes(ref.dtype) ? readFloat32(ref.file, ref) : readTensor(ref.file, ref));
      writeAll(fd, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function encodeHeader(tensors: readonly TensorRef[]): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, byteLength }) => {
    const isFloat = FLOATS.includes(dtype);
    const begin = end;
    end += isFloat ? 4 * elementCount(shape) : byteLength;
    return [name, { dtype: isFloat ? 'F32' : dtype, shape, data_offsets: [begin, end] }];
  });
  const header = { __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) };
  const json = Buffer.from(JSON.stringify(header));
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const bytes = Buffer.alloc(8 + padded, ' ');
  bytes.writeBigUInt64LE(BigInt(padded));
  json.copy(bytes, 8);
  return bytes;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.byteLength) {
    done += writeSync(fd, bytes, done, Math.min(bytes.byteLength - done, 1 << 30));
  }
}

function float32Config(path: string): string {
  const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  for (const field of ['torch_dtype', 'dtype']) {
    if (field in config) config[field] = 'float32';
  }
  return `${JSON.stringify(config, null, 2)}\n`;
}
