// A prompt version as a folder of two files. The card is written last and removed first, so a folder
// with a card is complete. Stores that are no folder use `packPrompt` and `unpackPrompt`.

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '@polyprompt/safetensors';
import { assertBackbone, type BackboneIdentity } from './backbone.ts';
import {
  assertSameBytes,
  CARD_FILE,
  type CardDetails,
  decodeCard,
  encodeCard,
  makeCard,
  type PromptCard,
} from './card.ts';
import { decodePrompt, type EncodeOptions, encodePrompt, PROMPT_FILE } from './encode.ts';
import { PromptError } from './errors.ts';
import type { Prompt } from './prompt.ts';

/** The two files of a version, as bytes. */
export interface PackedPrompt {
  readonly prompt: Uint8Array;
  readonly card: Uint8Array;
}

export interface PromptVersion {
  readonly prompt: Prompt;
  readonly card: PromptCard;
}

export interface ReadOptions {
  /** Refuse a prompt that was trained on another backbone than this. */
  readonly backbone?: BackboneIdentity;
}

/** @throws PromptError as `encodePrompt` and `makeCard` do */
export function packPrompt(
  prompt: Prompt,
  details: CardDetails,
  options: EncodeOptions = {},
): PackedPrompt {
  const bytes = encodePrompt(prompt, options);
  return { prompt: bytes, card: encodeCard(makeCard(prompt, bytes, details)) };
}

/**
 * Verifies and decodes both files.
 * @param folder prefix of the file names in messages
 * @throws PromptError naming the file that is damaged, not a prompt, or for another backbone
 */
export function unpackPrompt(
  packed: PackedPrompt,
  options: ReadOptions = {},
  folder = '',
): PromptVersion {
  const card = decodeCard(packed.card, join(folder, CARD_FILE));
  const promptFile = join(folder, PROMPT_FILE);
  assertSameBytes(card, packed.prompt, promptFile);
  const prompt = decodePrompt(packed.prompt, promptFile);
  if (options.backbone !== undefined) assertBackbone(prompt, options.backbone);
  return { prompt, card };
}

/**
 * Writes `prompt.safetensors` and `card.json` into `folder`, which is made if need be.
 * @returns the card with its hashes
 * @throws PromptError as `encodePrompt` and `makeCard` do, before anything is written
 */
export function writePrompt(
  folder: string,
  prompt: Prompt,
  details: CardDetails,
  options: EncodeOptions = {},
): PromptCard {
  const packed = packPrompt(prompt, details, options);
  mkdirSync(folder, { recursive: true });
  rmSync(join(folder, CARD_FILE), { force: true });
  writeFileDurably(join(folder, PROMPT_FILE), packed.prompt);
  writeFileDurably(join(folder, CARD_FILE), packed.card);
  return decodeCard(packed.card);
}

/**
 * Reads and verifies a folder written by `writePrompt`.
 * @throws PromptError `incomplete` if a file is missing, else as `unpackPrompt`
 */
export function readPrompt(folder: string, options: ReadOptions = {}): PromptVersion {
  const packed = { card: readPart(folder, CARD_FILE), prompt: readPart(folder, PROMPT_FILE) };
  return unpackPrompt(packed, options, folder);
}

/** Checks each file of a folder for itself, so that two damaged files are two findings; [] if sound. */
export function verifyPrompt(folder: string): readonly PromptError[] {
  const problems: PromptError[] = [];
  const collect = <T>(check: () => T): T | undefined => {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof PromptError)) throw error;
      problems.push(error);
      return undefined;
    }
  };
  const promptFile = join(folder, PROMPT_FILE);
  const card = collect(() => decodeCard(readPart(folder, CARD_FILE), join(folder, CARD_FILE)));
  collect(() => {
    const bytes = readPart(folder, PROMPT_FILE);
    if (card !== undefined) assertSameBytes(card, bytes, promptFile);
    decodePrompt(bytes, promptFile);
  });
  return problems;
}

function readPart(folder: string, name: string): Uint8Array {
  const file = join(folder, name);
  try {
    return readFileSync(file);
  } catch (cause) {
    // ENOTDIR: `folder` is a file.
    if (!['ENOENT', 'ENOTDIR'].includes(String((cause as NodeJS.ErrnoException).code))) throw cause;
    throw new PromptError(
      'incomplete',
      `${folder}: no ${name}: not a prompt folder, or its writing did not finish; write it again`,
      { cause },
    );
  }
}
