// prompt.safetensors: the bytes that are served. A function of the prompt alone, so the same data
// and seed give the same bytes; whatever varies from run to run (times, host) is in the card.

import {
  type DecodedSafetensors,
  decodeSafetensors,
  encodeSafetensors,
  float32ToFloat16,
  SafetensorsError,
  type TensorData,
  toFloat32,
} from '@polyprompt/safetensors';
import { canonicalJson } from './canonical.ts';
import { PromptError } from './errors.ts';
import { checkPrompt, type Prompt, parseSettings, type Tensor } from './prompt.ts';

export const PROMPT_FILE = 'prompt.safetensors';
/** The newest format this version reads. */
export const FORMAT_VERSION = 3;
const FORMAT = 'polyprompt';
/** Of what is no JSON, in a message. */
const LONGEST_SHOWN = 200;

/**
 * The oldest format that says all about a prompt, which is the one it is written in: 2 has dense layers,
 * 3 settings of the answers.
 */
export function formatVersionOf(prompt: Prompt): number {
  if (prompt.answering !== undefined) return 3;
  return prompt.denseWeight === undefined ? 1 : 2;
}

export interface EncodeOptions {
  /** How tensors are stored; float16 halves the file and rounds the values. Default float32. */
  readonly dtype?: 'float32' | 'float16';
}

/**
 * Encodes a prompt as one safetensors file.
 * @throws PromptError `bad_prompt` or `not_finite` (also if a value is too large for float16)
 */
export function encodePrompt(prompt: Prompt, options: EncodeOptions = {}): Uint8Array {
  checkPrompt('prompt', prompt);
  const { prefix, softPrompt, denseWeight, denseBias, headWeight, headBias } = prompt;
  const tensors: [string, TensorData][] = [];
  const add = (name: string, tensor: Tensor | undefined) => {
    if (tensor !== undefined)
      tensors.push([name, encodeTensor(name, tensor, options.dtype ?? 'float32')]);
  };
  add('prefix', prefix);
  add('soft_prompt', softPrompt);
  add('head.dense.weight', denseWeight);
  add('head.dense.bias', denseBias);
  add('head.weight', headWeight);
  add('head.bias', headBias);
  return encodeSafetensors(tensors, {
    format: FORMAT,
    format_version: String(formatVersionOf(prompt)),
    task: prompt.task,
    labels: JSON.stringify(prompt.labels),
    method: prompt.method,
    backbone: prompt.backbone,
    backbone_name: prompt.backboneName,
    positions: prompt.positions,
    pooling: prompt.pooling,
    training: canonicalJson(prompt.training),
    ...(prompt.answering && { answering: canonicalJson(prompt.answering) }),
  });
}

/**
 * Decodes a file written by `encodePrompt`; the tensors may be views into `bytes`.
 * @param source what to call the bytes in messages, normally the file's path
 * @throws PromptError `not_a_prompt`, `format_too_new`, `bad_prompt` or `not_finite`
 */
export function decodePrompt(bytes: Uint8Array, source = PROMPT_FILE): Prompt {
  const { tensors, metadata } = decodeFile(bytes, source);
  checkFormat(source, metadata);
  const settings = parseSettings(source, {
    task: metadata.task,
    labels: parseJson(source, 'labels', metadata.labels),
    method: metadata.method,
    backbone: metadata.backbone,
    backboneName: metadata.backbone_name,
    positions: metadata.positions,
    pooling: metadata.pooling,
    training: parseJson(source, 'training', metadata.training),
    ...(metadata.answering !== undefined && {
      answering: parseJson(source, 'answering', metadata.answering),
    }),
  });
  const tensor = (name: string): Tensor | undefined => {
    const found = tensors.get(name);
    return found && { shape: found.shape, data: floatsOf(source, name, found) };
  };
  const required = (name: string): Tensor => {
    const found = tensor(name);
    if (found === undefined) throw new PromptError('bad_prompt', `${source}: no tensor "${name}"`);
    return found;
  };
  const prefix = tensor('prefix');
  const softPrompt = tensor('soft_prompt');
  const denseWeight = tensor('head.dense.weight');
  const denseBias = tensor('head.dense.bias');
  const prompt: Prompt = {
    ...settings,
    ...(prefix && { prefix }),
    ...(softPrompt && { softPrompt }),
    ...(denseWeight && { denseWeight }),
    ...(denseBias && { denseBias }),
    headWeight: required('head.weight'),
    headBias: required('head.bias'),
  };
  checkPrompt(source, prompt);
  return prompt;
}

function encodeTensor(name: string, tensor: Tensor, dtype: 'float32' | 'float16'): TensorData {
  const { shape, data } = tensor;
  if (dtype === 'float32') return { dtype: 'F32', shape, data };
  const halves = float32ToFloat16(data);
  const at = halves.findIndex((half) => (half & 0x7fff) === 0x7c00);
  if (at >= 0) {
    throw new PromptError(
      'not_finite',
      `${name} holds ${data[at]} at index ${at}, more than float16 can (65504); write float32`,
    );
  }
  return { dtype: 'F16', shape, data: halves };
}

function decodeFile(bytes: Uint8Array, source: string): DecodedSafetensors {
  try {
    return decodeSafetensors(bytes, source);
  } catch (cause) {
    if (!(cause instanceof SafetensorsError)) throw cause;
    throw new PromptError('not_a_prompt', cause.message, { cause });
  }
}

function floatsOf(source: string, name: string, { dtype, data }: TensorData): Float32Array {
  try {
    return toFloat32(dtype, data, `${source}: ${name}`);
  } catch (cause) {
    if (!(cause instanceof SafetensorsError)) throw cause;
    throw new PromptError('bad_prompt', cause.message, { cause });
  }
}

function checkFormat(source: string, metadata: Readonly<Record<string, string>>): void {
  const version = Number(metadata.format_version);
  if (metadata.format !== FORMAT || !Number.isSafeInteger(version) || version < 1) {
    throw new PromptError(
      'not_a_prompt',
      `${source}: a safetensors file, but not a prompt: its metadata has no format "${FORMAT}" with a version`,
    );
  }
  assertReadable(source, version);
}

/** @throws PromptError `format_too_new` */
export function assertReadable(source: string, version: number): void {
  if (version <= FORMAT_VERSION) return;
  throw new PromptError(
    'format_too_new',
    `${source}: written in format ${version}, this release reads up to ${FORMAT_VERSION}; upgrade polyprompt`,
  );
}

function parseJson(source: string, key: string, text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch (cause) {
    const shown = text?.slice(0, LONGEST_SHOWN);
    throw new PromptError('bad_prompt', `${source}: metadata "${key}" is not JSON: ${shown}`, {
      cause,
    });
  }
}
