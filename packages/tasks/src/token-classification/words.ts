// What a word is. Given words are taken as they are. A text is split at the word boundaries of Unicode
// (UAX 29), with ICU's dictionaries for scripts without spaces, since data of words is what tagging
// mostly learns from: "Paris." are two words, 北京大学 are 北京 and 大学, "can't" is one.
import { CodePoints } from '@polyprompt/text';
import type { Span, TaggingInput } from './types.ts';

export type WordSpan = readonly [start: number, end: number];

export interface Words {
  readonly text: CodePoints;
  /** Place of each word in the text, in code points, ascending. */
  readonly spans: readonly WordSpan[];
  readonly words: readonly string[];
}

// A fixed locale: the default one would make results depend on the machine.
const SEGMENTER = new Intl.Segmenter('en', { granularity: 'word' });
const PUNCTUATION = /^\p{P}+$/u;

/**
 * The words of an input. Given words are joined by single spaces to make the text.
 * @param spans words are split where one of these begins or ends inside of them
 */
export function wordsOf(input: TaggingInput, spans: readonly Span[] = []): Words {
  if (input.tokens !== undefined) return joined(input.tokens);
  const text = new CodePoints(input.text);
  const words = splitAt(splitText(text), spans);
  return { text, spans: words, words: words.map(([start, end]) => text.slice(start, end)) };
}

function joined(words: readonly string[]): Words {
  const spans: WordSpan[] = [];
  let start = 0;
  for (const word of words) {
    const end = start + new CodePoints(word).length;
    spans.push([start, end]);
    start = end + 1;
  }
  return { text: new CodePoints(words.join(' ')), spans, words };
}

function splitText(text: CodePoints): WordSpan[] {
  const words: WordSpan[] = [];
  let last = '';
  for (const { segment, index } of SEGMENTER.segment(text.text)) {
    const start = text.fromUtf16(index);
    const previous = words.at(-1);
    const end = text.fromUtf16(index + segment.length);
    // "..." and "!!" are one mark.
    const repeats = segment === last && previous?.[1] === start && PUNCTUATION.test(segment);
    if (repeats) words[words.length - 1] = [previous[0], end];
    else if (/\S/.test(segment)) words.push([start, end]);
    last = segment;
  }
  return words;
}

function splitAt(words: readonly WordSpan[], spans: readonly Span[]): readonly WordSpan[] {
  if (spans.length === 0) return words;
  const edges = [...new Set(spans.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
  let next = 0;
  return words.flatMap(([start, end]) => {
    const parts: WordSpan[] = [];
    let from = start;
    while (next < edges.length && edges[next]! <= start) next++;
    for (; next < edges.length && edges[next]! < end; next++) {
      parts.push([from, edges[next]!]);
      from = edges[next]!;
    }
    return [...parts, [from, end] as const];
  });
}
