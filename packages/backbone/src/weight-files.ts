// The weight files of a Hugging Face folder: one model.safetensors, or shards listed in an index.
// Only headers are read; tensors stay in their files and are referenced by (file, offset, length).

import { closeSync, existsSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import {
  readHeader,
  SafetensorsError,
  type SafetensorsHeader,
  type TensorEntry,
} from '@polyprompt/safetensors';
import { z } from 'zod';
import { BackboneError } from './errors.ts';

export const SINGLE_FILE = 'model.safetensors';
export const SHARD_INDEX = 'model.safetensors.index.json';

/** A tensor where it lies; `name` is its key in the file. `readFloat32(ref.file, ref)` reads it. */
export interface TensorRef extends TensorEntry {
  /** Absolute path, symbolic links resolved. */
  readonly file: string;
}

export interface WeightFile {
  /** Name in the model folder. */
  readonly name: string;
  /** Absolute path, symbolic links resolved. */
  readonly path: string;
}

export interface WeightFiles {
  readonly files: readonly WeightFile[];
  /** All tensors of all files, by their key. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
}

/**
 * Opens the weights of a model folder without reading them.
 * @throws BackboneError `weights_missing`, `pickle_weights`, `shard_missing`, `truncated_file`, `bad_weights`
 * or `tensor_missing` (the index names a tensor that its shard does not have)
 */
export function openWeightFiles(dir: string): WeightFiles {
  if (existsSync(join(dir, SINGLE_FILE))) {
    const { file, tensors } = openFile(dir, SINGLE_FILE);
    return { files: [file], tensors };
  }
  if (existsSync(join(dir, SHARD_INDEX))) return openShards(dir);
  const pickle = ['pytorch_model.bin', 'pytorch_model.bin.index.json'].find((name) =>
    existsSync(join(dir, name)),
  );
  if (pickle === undefined) {
    throw new BackboneError(
      'weights_missing',
      `${dir} has no ${SINGLE_FILE} and no ${SHARD_INDEX}`,
    );
  }
  throw new BackboneError(
    'pickle_weights',
    `${dir} has its weights in ${pickle}, a pickle, which can run code when opened and is not read; convert it where you trust it, in that folder: ${conversion(pickle)}`,
  );
}

function conversion(pickle: string): string {
  return pickle === 'pytorch_model.bin'
    ? `python3 -c "import torch; from safetensors.torch import save_file; save_file({k: v.clone() for k, v in torch.load('${pickle}', map_location='cpu', weights_only=True).items()}, '${SINGLE_FILE}', {'format': 'pt'})"`
    : `python3 -c "from transformers import AutoModel; AutoModel.from_pretrained('.').save_pretrained('.', safe_serialization=True)"`;
}

function openShards(dir: string): WeightFiles {
  const shardOfKey = readIndex(join(dir, SHARD_INDEX));
  const files: WeightFile[] = [];
  const tensors = new Map<string, TensorRef>();
  for (const name of [...new Set(Object.values(shardOfKey))].sort()) {
    if (!existsSync(join(dir, name))) {
      throw new BackboneError(
        'shard_missing',
        `${dir}: ${SHARD_INDEX} lists ${name}, which is not there; download it into the folder`,
      );
    }
    const shard = openFile(dir, name);
    files.push(shard.file);
    for (const [key, tensor] of shard.tensors) {
      if (shardOfKey[key] === name) tensors.set(key, tensor);
    }
  }
  for (const [key, shard] of Object.entries(shardOfKey)) {
    if (!tensors.has(key)) {
      throw new BackboneError(
        'tensor_missing',
        `${dir}: ${SHARD_INDEX} says that "${key}" is in ${shard}, but it is not; download index and shards again`,
      );
    }
  }
  return { files, tensors };
}

const indexSchema = z.object({
  // A plain file name: an index must not reach outside its folder.
  weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+\.safetensors$/)),
});

function readIndex(path: string): Record<string, string> {
  try {
    return indexSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).weight_map;
  } catch (cause) {
    throw new BackboneError(
      'bad_weights',
      `${path} is not an index of shards ({"weight_map": {tensor: file.safetensors}}): ${(cause as Error).message}`,
      { cause },
    );
  }
}

function openFile(dir: string, name: string) {
  const path = realpathSync(join(dir, name));
  const header = readHeaderOf(join(dir, name));
  const tensors = new Map<string, TensorRef>();
  for (const [key, entry] of header.tensors) tensors.set(key, { ...entry, file: path });
  return { file: { name, path }, tensors };
}

function readHeaderOf(path: string): SafetensorsHeader {
  try {
    return readHeader(path);
  } catch (cause) {
    if (!(cause instanceof SafetensorsError)) throw cause;
    if (cause.code === 'truncated') {
      throw new BackboneError('truncated_file', cause.message, { cause });
    }
    const hint = isGitLfsPointer(path)
      ? `${path} is a Git LFS pointer, not the weights; run git lfs pull in its folder`
      : cause.message;
    throw new BackboneError('bad_weights', hint, { cause });
  }
}

function isGitLfsPointer(path: string): boolean {
  const marker = 'version https://git-lfs';
  const start = Buffer.alloc(marker.length);
  const fd = openSync(path, 'r');
  try {
    readSync(fd, start);
  } finally {
    closeSync(fd);
  }
  return start.toString('latin1') === marker;
}
