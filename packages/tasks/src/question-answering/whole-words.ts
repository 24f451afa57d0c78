// Answers that begin or end inside of a word are extended to the whole of it. Words are those of Unicode,
// found by dictionary where a script has no spaces; the tokenizer's notion of a word would make a
// whole Chinese sentence of any part of it.

import type { CodePoints } from '@polyprompt/text';
import type { Span } from './decode.ts';

const SEGMENTER = new Intl.Segmenter('und', { granularity: 'word' });

// Dictionaries look far ahead; a word is found in its surroundings as well as in the whole context.
const SURROUNDINGS = 64;

/** The span with the words that its ends are in. */
export function wholeWords(span: Span, context: CodePoints): Span {
  const first = wordAt(context, span.start);
  const last = wordAt(context, span.end - 1);
  return { ...span, start: Math.min(span.start, first.start), end: Math.max(span.end, last.end) };
}

function wordAt(
  context: CodePoints,
  index: number,
): { readonly start: number; readonly end: number } {
  const at = context.toUtf16(index);
  const from = spaceBefore(context.text, at);
  const to = spaceAfter(context.text, at);
  const found = SEGMENTER.segment(context.text.slice(from, to)).containing(at - from);
  if (!found?.isWordLike) return { start: index, end: index + 1 };
  const start = from + found.index;
  return {
    start: context.fromUtf16(start),
    end: context.fromUtf16(start + found.segment.length),
  };
}

/** Words end at white space: from there on, or from far enough. */
function spaceBefore(text: string, at: number): number {
  const least = Math.max(0, at - SURROUNDINGS);
  for (let i = at; i > least; i--) if (/\s/.test(text[i - 1]!)) return i;
  // Not through a pair of surrogates.
  return least > 0 && /[\udc00-\udfff]/.test(text[least]!) ? least + 1 : least;
}

function spaceAfter(text: string, at: number): number {
  const most = Math.min(text.length, at + SURROUNDINGS);
  for (let i = at; i < most; i++) if (/\s/.test(text[i]!)) return i;
  return most < text.length && /[\udc00-\udfff]/.test(text[most]!) ? most + 1 : most;
}
