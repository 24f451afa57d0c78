/**
 * How a tokenizer cuts a language, measured on the very texts that are scored: what Park et al.
 * relate the gain of prompt tuning to.
 */
import type { Tokenizer } from '@polyprompt/backbone';

export interface Tokenization {
  readonly words: number;
  /** Sub-words per word. */
  readonly fertility: number;
  /** Characters (code points) per sub-word. */
  readonly charactersPerSubword: number;
  /** Share of the words that are cut into several sub-words. */
  readonly splitWords: number;
  /** Share of the sub-words that are unknown to the vocabulary. */
  readonly unknown: number;
}

/**
 * @param language for finding the words of scripts without spaces; an unknown code counts as English
 * @param unknownId of the vocabulary, or null when the tokenizer has no unknown token
 */
export async function measureTokenization(
  tokenizer: Pick<Tokenizer, 'encodeWords'>,
  texts: readonly string[],
  language: string,
  unknownId: number | null,
): Promise<Tokenization> {
  const segmenter = new Intl.Segmenter(localeOf(language), { granularity: 'word' });
  const lists = texts.map((text) =>
    [...segmenter.segment(text)].flatMap(({ segment, isWordLike }) =>
      isWordLike ? [segment] : [],
    ),
  );
  const totals = { words: 0, subwords: 0, characters: 0, split: 0, unknown: 0 };
  const encodings = await tokenizer.encodeWords(lists.filter((words) => words.length > 0));
  for (const { ids, wordIds, sequenceIds } of encodings) {
    const pieces = new Map<number, number>();
    wordIds.forEach((word, i) => {
      if (sequenceIds[i] === null) return;
      // The bare mark of a word's start is a sub-word, though none of the word's own.
      totals.subwords += 1;
      if (ids[i] === unknownId) totals.unknown += 1;
      if (word !== null) pieces.set(word, (pieces.get(word) ?? 0) + 1);
    });
    for (const count of pieces.values()) if (count > 1) totals.split += 1;
  }
  for (const words of lists) {
    totals.words += words.length;
    for (const word of words) totals.characters += [...word].length;
  }
  const subwords = Math.max(1, totals.subwords);
  const words = Math.max(1, totals.words);
  return {
    words: totals.words,
    fertility: totals.subwords / words,
    charactersPerSubword: totals.characters / subwords,
    splitWords: totals.split / words,
    unknown: totals.unknown / subwords,
  };
}

function localeOf(language: string): string {
  return Intl.Segmenter.supportedLocalesOf([language]).length > 0 ? language : 'en';
}
