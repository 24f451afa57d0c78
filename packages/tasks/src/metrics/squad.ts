// Exact match and F1 of short answers as the official SQuAD scripts (v1.1 and v2.0) compute them, and a
// variant that knows other languages than English, after the script of MLQA (Lewis et al. 2020).

/** What makes two answers the same: their words, and what does not count. */
export type AnswerWords = (answer: string) => readonly string[];

// Python's \w is letters, digits and the underscore without combining marks; its \b follows from it.
const WORD = String.raw`[\p{L}\p{N}_]`;
// Where Python's str.split() splits; JavaScript's \s differs in the control characters and U+FEFF.
const SPACE = new RegExp(
  `(?:(?!\\ufeff)[\\s${String.fromCodePoint(0x1c, 0x1d, 0x1e, 0x1f, 0x85)}])+`,
);
const ASCII_PUNCTUATION = /[!-/:-@[-`{-~]/g;
const PUNCTUATION = /[!-/:-@[-`{-~]|\p{P}/gu;

/** SQuAD: lower case, no ASCII punctuation, no a, an, the; words are what white space separates. */
export const squadWords: AnswerWords = (answer) =>
  splitAtSpace(
    answer.toLowerCase().replace(ASCII_PUNCTUATION, '').replace(wholeWords('a|an|the'), ' '),
  );

/** Articles by language; those of en, es, de, vi and ar as in MLQA. */
const ARTICLES: Readonly<Record<string, RegExp>> = {
  en: wholeWords('a|an|the'),
  es: wholeWords('un|una|unos|unas|el|la|los|las'),
  de: wholeWords('ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des'),
  vi: wholeWords('của|là|cái|chiếc|những'),
  // Everywhere, inside of words too: that is what the expression of MLQA comes to.
  ar: /ال/gu,
  fr: wholeWords('un|une|des|le|la|les|du'),
  it: wholeWords('un|uno|una|il|lo|la|i|gli|le'),
  pt: wholeWords('um|uma|uns|umas|o|a|os|as'),
  nl: wholeWords('een|de|het'),
  ro: wholeWords('un|o|niște|cel|cea|cei|cele'),
  el: wholeWords('ο|η|το|οι|τα|του|της|των|τον|την|τους|τις|ένας|μια|μία|ένα'),
  sv: wholeWords('en|ett|den|det|de'),
  hu: wholeWords('a|az|egy'),
};

/** Articles that lean on the next word; they go before the apostrophe does. */
const ELIDED: Readonly<Record<string, RegExp>> = {
  fr: leaning('l'),
  it: leaning('l|un|gl'),
};

/** Languages that write without spaces: every character of their scripts is a word. */
const UNSPACED: Readonly<Record<string, RegExp>> = {
  zh: /[\u4e00-\u9fa5]/gu,
  ja: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]/gu,
  th: withMarks('Thai'),
  lo: withMarks('Lao'),
  km: withMarks('Khmer'),
  my: withMarks('Myanmar'),
};

/**
 * MLQA's rules for its languages and the same in spirit for others: lower case, no punctuation of any
 * script, the articles of the language removed, and one word per character where there are no spaces.
 * @param language BCP 47 tag; without one, English
 */
export function languageWords(language = 'en'): AnswerWords {
  const tag = language.toLowerCase().split(/[-_]/)[0]!;
  const articles = ARTICLES[tag];
  const elided = ELIDED[tag];
  const unspaced = UNSPACED[tag];
  return (answer) => {
    let text = answer.toLowerCase();
    if (elided) text = text.replace(elided, ' ');
    text = text.replace(PUNCTUATION, '');
    if (articles) text = text.replace(articles, ' ');
    if (unspaced) text = text.replace(unspaced, ' $& ');
    return splitAtSpace(text);
  };
}

/** 1 if the words are the same in the same order, else 0. */
export function exactMatch(prediction: readonly string[], gold: readonly string[]): number {
  return prediction.join(' ') === gold.join(' ') ? 1 : 0;
}

/**
 * Harmonic mean of precision and recall of the words, each counted as often as it occurs.
 * @param empty what two answers without any word score: 0 in SQuAD v1.1, 1 in v2.0
 */
export function wordF1(
  prediction: readonly string[],
  gold: readonly string[],
  empty: 0 | 1 = 0,
): number {
  if (prediction.length === 0 && gold.length === 0) return empty;
  const left = new Map<string, number>();
  for (const word of gold) left.set(word, (left.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of prediction) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    same++;
  }
  // Twice the overlap over all words is 2PR / (P + R).
  return (2 * same) / (prediction.length + gold.length);
}

function splitAtSpace(text: string): string[] {
  return text.split(SPACE).filter((word) => word !== '');
}

function wholeWords(words: string): RegExp {
  return new RegExp(`(?<!${WORD})(?:${words})(?!${WORD})`, 'gu');
}

function leaning(words: string): RegExp {
  return new RegExp(`(?<!${WORD})(?:${words})['’]`, 'gu');
}

/** A character of the script with the vowels and tones that stand above and below it. */
function withMarks(script: string): RegExp {
  return new RegExp(`\\p{Script=${script}}\\p{M}*`, 'gu');
}
