// A backbone: a model folder that has been looked at, not loaded. Opening reads config.json and the
// headers of the weight files, so a checkpoint of many gigabytes opens in milliseconds.

import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { elementCount } from '@polyprompt/safetensors';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { type BackboneSpec, parseConfig } from './config.ts';
import { BackboneError } from './errors.ts';
import { defaultCacheDir, fingerprintOf } from './fingerprint.ts';
import { Tokenizer } from './tokenizer.ts';

export interface Backbone {
  /** Absolute path of the model folder. */
  readonly dir: string;
  /** Short name, from the folder's. */
  readonly name: string;
  readonly spec: BackboneSpec;
  readonly checkpoint: Checkpoint;
  /** Number of trained values that the spec asks for (pooler included, language model head not). */
  readonly parameters: number;
  /** Loaded at the first call. @throws BackboneError `missing_tokenizer` or `bad_tokenizer` */
  tokenizer(): Tokenizer;
  /** `sha256:<hex>` over config, tokenizer and weights; computed once. */
  fingerprint(): Promise<string>;
}

export interface OpenOptions {
  /** Where hashes of large files are remembered. */
  readonly cacheDir?: string;
}

/**
 * Opens a Hugging Face model folder.
 * @throws BackboneError saying what is wrong with the folder, its config or its weights
 * @example const backbone = openBackbone('models/xlm-roberta-base');
 */
export function openBackbone(
  dir: string,
  { cacheDir = defaultCacheDir() }: OpenOptions = {},
): Backbone {
  const configPath = requireConfig(dir);
  const path = realpathSync(dir);
  const spec = parseConfig(configPath, readFileSync(configPath, 'utf8'));
  const checkpoint = openCheckpoint(path, spec);
  let tokenizer: Tokenizer | undefined;
  let fingerprint: Promise<string> | undefined;
  return {
    dir: path,
    name: nameOf(path),
    spec,
    checkpoint,
    parameters: countParameters(checkpoint),
    tokenizer() {
      tokenizer ??= openTokenizer(path, spec);
      return tokenizer;
    },
    fingerprint() {
      fingerprint ??= fingerprintOf(path, checkpoint.files, { cacheDir }).catch((error) => {
        fingerprint = undefined;
        throw error;
      });
      return fingerprint;
    },
  };
}

function countParameters(checkpoint: Checkpoint): number {
  let count = 0;
  for (const ref of checkpoint.tensors.values()) count += elementCount(ref.shape);
  return count;
}

function requireConfig(dir: string): string {
  const reason = whyNotAModelFolder(dir);
  if (reason === undefined) return join(dir, 'config.json');
  throw new BackboneError(
    'not_a_model_folder',
    `${dir} is not a model folder: ${reason}; give a folder with config.json, model.safetensors and tokenizer.json`,
  );
}

function whyNotAModelFolder(dir: string): string | undefined {
  const stats = statSync(dir, { throwIfNoEntry: false });
  if (stats === undefined) return 'it does not exist';
  if (!stats.isDirectory()) return 'it is a file';
  if (!existsSync(join(dir, 'config.json'))) return 'it has no config.json';
  return undefined;
}

function openTokenizer(dir: string, spec: BackboneSpec): Tokenizer {
  const tokenizer = Tokenizer.open(dir);
  if (tokenizer.vocabSize > spec.vocabSize) {
    throw new BackboneError(
      'bad_tokenizer',
      `${join(dir, 'tokenizer.json')} has ${tokenizer.vocabSize} tokens, more than the ${spec.vocabSize} of config.json; it belongs to another model`,
    );
  }
  return tokenizer;
}

function nameOf(dir: string): string {
  // In the Hugging Face cache the folder itself is named by a commit.
  const cached = /models--(?:[^/\\]+--)?([^/\\]+)[/\\]snapshots[/\\][^/\\]+$/.exec(dir);
  return cached?.[1] ?? basename(dir);
}
