// A question and its context as rows for the backbone: the whole question in front of each of the
// overlapping windows of the context.

import { TaskError } from '../errors.ts';
import type { ContextTokens, EncodedInputs, Encoder, TokenEncoding, TokenLimits } from '../task.ts';
import type { QuestionInput, QuestionOptions } from './types.ts';

/** Tokens of a window, unless asked for otherwise. */
export const WINDOW_TOKENS = 384;
/** Tokens that neighbouring windows share, unless asked for otherwise. */
export const DOC_STRIDE = 128;

// Bounds the native encodings alive at a time; a single context may have hundreds of thousands of tokens.
const BATCH = 64;

export interface WindowPiece {
  readonly example: number;
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  readonly context: ContextTokens;
  /** Which token of the whole context is the first of this window. */
  readonly offset: number;
}

export interface QuestionWindows extends EncodedInputs {
  readonly pieces: readonly WindowPiece[];
  /** Tokens of each input's whole context; the windows share its memory. */
  readonly contexts: readonly ContextTokens[];
}

/**
 * Windows of inputs. A question that leaves less than a quarter of the window is refused, or cut where
 * `limits.truncate` asks for it; contexts are never cut.
 * @throws TaskError `bad_option`
 */
export async function encodeQuestions(
  inputs: readonly QuestionInput[],
  encoder: Encoder,
  limits: TokenLimits,
  options: QuestionOptions = {},
): Promise<QuestionWindows> {
  const sizes = checkSizes(limits, options);
  const pieces: WindowPiece[] = [];
  const contexts: ContextTokens[] = [];
  const overruns = [];
  for (let start = 0; start < inputs.length; start += BATCH) {
    const batch = inputs.slice(start, start + BATCH);
    const encodings = await encoder.encodeBatch(
      batch.map(({ question, context }) => [question, context]),
    );
    for (const [i, encoding] of encodings.entries()) {
      const example = start + i;
      const layout = layoutOf(encoding);
      requireRoom(layout, sizes);
      contexts.push(layout.context);
      const limit = questionLimit(layout, sizes);
      if (layout.questionTokens > limit) {
        overruns.push({ example, tokens: layout.questionTokens, limit, part: 'question' });
        if (!limits.truncate) continue;
      }
      const windows = windowsOf(example, layout, Math.min(limit, layout.questionTokens), sizes);
      for (const piece of windows) {
        if (pieces.length === limits.maxPieces) throw tooMany(limits.maxPieces, sizes);
        pieces.push(piece);
      }
    }
  }
  return { pieces, contexts, overruns };
}

interface Sizes {
  readonly window: number;
  readonly docStride: number;
  readonly maxQuestionTokens: number;
}

function checkSizes({ maxTokens }: TokenLimits, options: QuestionOptions): Sizes {
  const window = options.maxTokens ?? Math.min(WINDOW_TOKENS, maxTokens);
  requireWhole('maxTokens', window, 1, maxTokens);
  const docStride = options.docStride ?? Math.min(DOC_STRIDE, window >> 1);
  requireWhole('docStride', docStride, 0, window - 1);
  const maxQuestionTokens = options.maxQuestionTokens ?? window;
  requireWhole('maxQuestionTokens', maxQuestionTokens, 1, Number.MAX_SAFE_INTEGER);
  return { window, docStride, maxQuestionTokens };
}

function requireWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new TaskError(
    'bad_option',
    `${name} is ${value}; it must be a whole number from ${least} to ${most}`,
  );
}

interface Layout {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** Position after the last token of the question. */
  readonly questionEnd: number;
  readonly questionTokens: number;
  readonly context: ContextTokens;
}

function layoutOf({ ids, typeIds, sequenceIds, offsets }: TokenEncoding): Layout {
  const questionEnd = sequenceIds.lastIndexOf(0) + 1;
  const questionTokens = questionEnd === 0 ? 0 : questionEnd - sequenceIds.indexOf(0);
  const found = sequenceIds.indexOf(1);
  // A context without tokens stands before the last special one.
  const first = found < 0 ? ids.length - 1 : found;
  const places = found < 0 ? [] : offsets.slice(first, sequenceIds.lastIndexOf(1) + 1);
  const context = {
    first,
    starts: Uint32Array.from(places, ([start]) => start),
    ends: Uint32Array.from(places, ([, end]) => end),
  };
  return { ids, typeIds, questionEnd, questionTokens, context };
}

/** Windows without room for the context would never come to its end. */
function requireRoom({ ids, questionTokens, context }: Layout, { window }: Sizes): void {
  const special = ids.length - questionTokens - context.starts.length;
  if (window > special) return;
  throw new TaskError(
    'bad_option',
    `maxTokens is ${window}; ${special} special tokens stand around question and context, so at least ${special + 1} are needed`,
  );
}

function tooMany(most: number, { window }: Sizes): TaskError {
  return new TaskError(
    'bad_option',
    `maxTokens is ${window}; the contexts would make more than ${most} windows: allow longer ones that share less, or shorten the contexts`,
  );
}

/** How long the question may be so that a quarter of the window, or the whole context, fits behind it. */
function questionLimit({ ids, questionTokens, context }: Layout, sizes: Sizes): number {
  const count = context.starts.length;
  const special = ids.length - questionTokens - count;
  const room = sizes.window - special - Math.max(1, Math.min(count, sizes.window >> 2));
  return Math.max(0, Math.min(room, sizes.maxQuestionTokens));
}

function* windowsOf(
  example: number,
  { ids, typeIds, questionEnd, questionTokens, context }: Layout,
  kept: number,
  { window, docStride }: Sizes,
): Generator<WindowPiece> {
  const { first, starts, ends } = context;
  const count = starts.length;
  const cut = questionTokens - kept;
  const room = window - (ids.length - count - cut);
  const step = room - Math.min(docStride, room >> 1);
  const row = (column: readonly number[], from: number) => [
    ...column.slice(0, questionEnd - cut),
    ...column.slice(questionEnd, first),
    ...column.slice(first + from, Math.min(first + from + room, first + count)),
    ...column.slice(first + count),
  ];
  for (let from = 0; ; from += step) {
    yield {
      example,
      ids: row(ids, from),
      typeIds: row(typeIds, from),
      offset: from,
      context: {
        first: first - cut,
        starts: starts.subarray(from, from + room),
        ends: ends.subarray(from, from + room),
      },
    };
    if (from + room >= count) return;
  }
}
