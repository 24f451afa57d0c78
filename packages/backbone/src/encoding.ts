// One tokenised text: columns of equal length, one row per token. The columns are fetched from the
// native encoding when first asked for, since most callers need ids alone and offsets cost the most.

import { CodePoints } from '@polyprompt/text';
import type { Encoding as NativeEncoding } from 'tokenizers';
import { truncateRows, windowRows } from './windows.ts';

export type Offset = readonly [start: number, end: number];

/** The words of a pre-split text inside the text that they were joined to. */
export interface WordSpans {
  /** End of each word in code points of the joined text. */
  readonly ends: readonly number[];
  /**
   * Id of the token that marks the start of a word and stands alone where the vocabulary has no such
   * word ("▁" in front of 中国). It holds nothing of the word, so it counts as none of its tokens.
   */
  readonly mark: number | undefined;
}

/** The columns of the whole text, shared by all of its windows. */
class Source {
  readonly #native: NativeEncoding;
  readonly #texts: readonly string[];
  readonly #words: WordSpans | undefined;
  #special: number[] | undefined;
  #sequences: number[] | undefined;
  #offsets: Offset[] | undefined;
  #wordIds: (number | null)[] | undefined;
  #ids: number[] | undefined;
  #typeIds: number[] | undefined;

  constructor(native: NativeEncoding, texts: readonly string[], words: WordSpans | undefined) {
    this.#native = native;
    this.#texts = texts;
    this.#words = words;
  }

  get length(): number {
    return this.#native.getLength();
  }

  get ids(): number[] {
    this.#ids ??= this.#native.getIds();
    return this.#ids;
  }

  get typeIds(): number[] {
    this.#typeIds ??= this.#native.getTypeIds();
    return this.#typeIds;
  }

  get specialMask(): number[] {
    this.#special ??= this.#native.getSpecialTokensMask();
    return this.#special;
  }

  /** 0, 1, or -1 for special tokens. */
  get sequences(): number[] {
    this.#sequences ??= this.#native.getSequenceIds().map((id) => id ?? -1);
    return this.#sequences;
  }

  get offsets(): Offset[] {
    this.#offsets ??= refineOffsets(
      this.#native.getOffsets() as [number, number][],
      this.sequences,
      this.#texts.map((text) => new CodePoints(text)),
    );
    return this.#offsets;
  }

  get wordIds(): (number | null)[] {
    this.#wordIds ??=
      this.#words === undefined
        ? this.#native.getWordIds().map((id) => id ?? null)
        : this.#wordsByOffset(this.#words);
    return this.#wordIds;
  }

  #wordsByOffset({ ends, mark }: WordSpans): (number | null)[] {
    let word = 0;
    return this.offsets.map(([start, end], row) => {
      if (this.sequences[row]! < 0 || this.ids[row] === mark) return null;
      // What covers nothing but white space has its end alone; where a word ends, it is that word.
      const after = start === end ? start - 1 : start;
      while (word < ends.length - 1 && ends[word]! <= after) word++;
      return word;
    });
  }
}

/** A tokenised text, or one window of it. All columns have `length` entries. */
export class Encoding {
  readonly #source: Source;
  readonly #rows: readonly number[] | undefined;
  /** The other windows, in order, where a stride was asked for. */
  readonly overflowing: readonly Encoding[];
  /** Whether tokens of the text are missing here (they are in `overflowing` if that is not empty). */
  readonly truncated: boolean;

  /** Use `Tokenizer`. */
  constructor(source: Source, rows?: readonly number[], overflowing: readonly Encoding[] = []) {
    this.#source = source;
    this.#rows = rows;
    this.overflowing = overflowing;
    this.truncated = rows !== undefined && rows.length < source.length;
  }

  /** Number of tokens, special ones included. */
  get length(): number {
    return this.#rows?.length ?? this.#source.length;
  }

  /** Number of tokens before anything was cut off. */
  get fullLength(): number {
    return this.#source.length;
  }

  get ids(): readonly number[] {
    return this.#pick(this.#source.ids);
  }

  /** Segment of each token (BERT): 0, or 1 for the second text. */
  get typeIds(): readonly number[] {
    return this.#pick(this.#source.typeIds);
  }

  /** 1 for tokens that the tokenizer added (not for a special token spelled out in the text). */
  get specialMask(): readonly number[] {
    return this.#pick(this.#source.specialMask);
  }

  /** Which text a token belongs to, 0 or 1; null for special tokens. */
  get sequenceIds(): readonly (number | null)[] {
    return this.#pick(this.#source.sequences).map((id) => (id < 0 ? null : id));
  }

  /** Row of each token in the encoding of the whole text, of which this may be a window. */
  get rows(): readonly number[] {
    return this.#rows ?? Array.from({ length: this.#source.length }, (_, row) => row);
  }

  /** Place of each token in its text, in code points; `[0, 0]` for special tokens. */
  get offsets(): readonly Offset[] {
    return this.#pick(this.#source.offsets);
  }

  /** Which word of its text a token belongs to (of the given words, where words were given); null for special tokens. */
  get wordIds(): readonly (number | null)[] {
    return this.#pick(this.#source.wordIds);
  }

  #pick<T>(column: readonly T[]): readonly T[] {
    return this.#rows === undefined ? column : this.#rows.map((row) => column[row]!);
  }
}

export interface LimitOptions {
  /** At most this many tokens, special ones included; without it nothing is ever cut. */
  readonly truncateTo?: number;
  /** With `truncateTo`: keep what does not fit as `overflowing` windows that overlap by this many tokens. */
  readonly stride?: number;
}

/** Wraps a native encoding and applies the limit. */
export function makeEncoding(
  native: NativeEncoding,
  texts: readonly string[],
  words: WordSpans | undefined,
  { truncateTo, stride }: LimitOptions,
): Encoding {
  const source = new Source(native, texts, words);
  if (truncateTo === undefined || source.length <= truncateTo) return new Encoding(source);
  if (stride === undefined) return new Encoding(source, truncateRows(source.sequences, truncateTo));
  const [first, ...others] = windowRows(source.sequences, truncateTo, stride);
  return new Encoding(
    source,
    first,
    others.map((rows) => new Encoding(source, rows)),
  );
}

// The native offsets have two flaws for whoever cuts answers and names out of the text. A token may
// begin with the space in front of it (Metaspace, byte-level BPE); and where normalisation composes
// characters (e + accent, Hangul jamo, half-width kana) only the first of them is counted.
function refineOffsets(
  offsets: readonly [number, number][],
  sequences: readonly number[],
  texts: readonly CodePoints[],
): Offset[] {
  return offsets.map(([start, end], row) => {
    const sequence = sequences[row]!;
    if (sequence < 0) return [0, 0];
    const text = texts[sequence]!;
    const isLast = sequences[row + 1] !== sequence;
    const next = isLast ? text.length : offsets[row + 1]![0];
    let [from, to] = [start, end];
    while (to < next && !text.isSpace(to)) to++;
    while (from < to && text.isSpace(from)) from++;
    return [from, to];
  });
}
