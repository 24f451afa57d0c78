// Inputs to windows. A token that lies in several windows counts in the one where it has the most
// context; in the others its `wordIds` entry is null. So every token counts once, and neither training
// nor answers need to know that there were windows.

import { TaskError } from '../errors.ts';
import type { EncodedInputs, Encoder, Piece, TokenEncoding, TokenLimits } from '../task.ts';
import type { TaggingInput, TaggingOptions } from './types.ts';
import { wordsOf } from './words.ts';

// Bounds the native encodings alive at a time.
const BATCH = 256;

/** Windows of every input, in order. Nothing is ever refused or cut. */
export async function encodeTagged(
  inputs: readonly TaggingInput[],
  encoder: Encoder,
  limits: TokenLimits,
  options: TaggingOptions = {},
): Promise<EncodedInputs> {
  const words = (input: TaggingInput) => wordsOf(input).words;
  return { pieces: await encodeWords(inputs, words, encoder, limits, options), overruns: [] };
}

/** @throws TaskError `bad_option` for a stride that windows cannot have */
export async function encodeWords<Item>(
  items: readonly Item[],
  wordsOfItem: (item: Item) => readonly string[],
  encoder: Encoder,
  { maxTokens, causal = false }: TokenLimits,
  { stride }: TaggingOptions = {},
): Promise<Piece[]> {
  const most = Math.floor(maxTokens / 2);
  if (stride !== undefined && (!Number.isSafeInteger(stride) || stride < 0 || stride > most)) {
    throw new TaskError(
      'bad_option',
      `stride is ${stride}; windows of ${maxTokens} tokens can share from 0 to ${most}`,
    );
  }
  const pieces: Piece[] = [];
  const window = { truncateTo: maxTokens, stride: stride ?? Math.floor(maxTokens / 4) };
  for (let start = 0; start < items.length; start += BATCH) {
    const batch = items.slice(start, start + BATCH);
    const encodings = await encoder.encodeWords(batch.map(wordsOfItem), window);
    for (const [i, encoding] of encodings.entries()) {
      const windows = [encoding, ...encoding.overflowing];
      pieces.push(...resolve(windows, causal).map((piece) => ({ example: start + i, ...piece })));
    }
  }
  return pieces;
}

function resolve(windows: readonly TokenEncoding[], causal: boolean): Omit<Piece, 'example'>[] {
  const owners = windows.length > 1 ? bestWindows(windows, causal) : undefined;
  return windows.map(({ ids, typeIds, rows, offsets, sequenceIds, wordIds }, index) => ({
    ids,
    typeIds,
    causal,
    spans: {
      rows,
      offsets,
      sequenceIds,
      wordIds: owners
        ? wordIds.map((id, i) => (owners.get(rows[i]!) === index ? id : null))
        : wordIds,
    },
  }));
}

/** For every row of the whole encoding, the window where it has the most context. */
function bestWindows(windows: readonly TokenEncoding[], causal: boolean): Map<number, number> {
  const best = new Map<number, { index: number; context: number }>();
  windows.forEach(({ rows, wordIds }, index) => {
    const content = rows.filter((_, i) => wordIds[i] !== null);
    content.forEach((row, i) => {
      // At the ends of the text there is nothing that a window could lack.
      const left = index === 0 ? Number.POSITIVE_INFINITY : i;
      const right =
        causal || index === windows.length - 1 ? Number.POSITIVE_INFINITY : content.length - 1 - i;
      const context = Math.min(left, right);
      if (context > (best.get(row)?.context ?? -1)) best.set(row, { index, context });
    });
  });
  return new Map([...best].map(([row, { index }]) => [row, index]));
}
