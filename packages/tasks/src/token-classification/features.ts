// Examples to windows with the class of each word at the one token that stands for it: the first in an
// encoder, the last in a decoder, which has seen the whole word there and nowhere else.

import { type DatasetIssue, excerptOf, makeIssue, quoted } from '../datasets/issue.ts';
import type { EncodedExamples, Encoder, Feature, Piece, TokenLimits } from '../task.ts';
import { textOf } from './check-repeats.ts';
import { encodeWords } from './encode.ts';
import { OUTSIDE } from './tags.ts';
import type { Span, TaggedExample } from './types.ts';
import { type WordSpan, wordsOf } from './words.ts';

const IGNORED = -1;

interface Tagged {
  readonly example: TaggedExample;
  readonly words: readonly string[];
  readonly tags: readonly string[];
}

/** Examples to windows with the class of each token, -1 for those that are not learned from. */
export async function taggedFeatures(
  examples: readonly TaggedExample[],
  labels: readonly string[],
  encoder: Encoder,
  limits: TokenLimits,
): Promise<EncodedExamples<readonly number[]>> {
  const classes = new Map(labels.map((label, index) => [label, index]));
  const issues: DatasetIssue[] = [];
  const known = examples.map((example) => tagWords(example));
  const usable = known.map((tagged) => !reportUnknown(tagged, classes, issues));
  const pieces = await encodeWords(known, ({ words }) => words, encoder, limits);
  const byExample = Map.groupBy(pieces, ({ example }) => example);
  const features: Feature<readonly number[]>[] = [];
  for (const [i, tagged] of known.entries()) {
    if (!usable[i]) continue;
    const windows = byExample.get(i) ?? [];
    const { rows, missing } = labelledRows(windows, tagged.words.length);
    if (missing.length > 0) issues.push(vanished(tagged, missing));
    for (const piece of windows) {
      const target = piece.spans!.wordIds.map((word, token) =>
        word !== null && rows[word] === piece.spans!.rows[token]
          ? classes.get(tagged.tags[word]!)!
          : IGNORED,
      );
      features.push({ ...piece, target });
    }
  }
  return { features, issues: issues.sort((a, b) => a.line! - b.line!), truncated: 0 };
}

/** The words of an example with their tags; words of a text are cut where spans begin and end. */
function tagWords(example: TaggedExample): Tagged {
  const { input, gold } = example;
  if (gold?.tags !== undefined) {
    return { example, words: wordsOf(input).words, tags: gold.tags };
  }
  const { words, spans } = wordsOf(input, gold?.spans);
  return { example, words, tags: tagsFor(spans, gold?.spans ?? []) };
}

/** IOB2 tags of words, each by the span that it begins in; both are in order. */
export function tagsFor(words: readonly WordSpan[], spans: readonly Span[]): string[] {
  let next = 0;
  let inside = -1;
  return words.map(([start]) => {
    while (next < spans.length && spans[next]!.end <= start) next++;
    const span = spans[next];
    if (span === undefined || span.start > start) return OUTSIDE;
    const begins = inside !== next;
    inside = next;
    return `${begins ? 'B' : 'I'}-${span.label}`;
  });
}

/** The row that stands for each word, and the words that have no token at all. */
export function labelledRows(
  windows: readonly Piece[],
  words: number,
): { readonly rows: readonly (number | undefined)[]; readonly missing: readonly number[] } {
  const rows: (number | undefined)[] = new Array(words).fill(undefined);
  for (const { spans, causal = false } of windows) {
    spans!.wordIds.forEach((word, token) => {
      if (word === null) return;
      const row = spans!.rows[token]!;
      const known = rows[word];
      if (known === undefined || (causal ? row > known : row < known)) rows[word] = row;
    });
  }
  const missing = rows.flatMap((row, word) => (row === undefined ? [word] : []));
  return { rows, missing };
}

function reportUnknown(
  { example, words, tags }: Tagged,
  classes: ReadonlyMap<string, number>,
  issues: DatasetIssue[],
): boolean {
  const { line, gold, input } = example;
  const excerpt = excerptOf(textOf(input));
  if (gold === undefined) {
    const message = 'the row has no tags';
    issues.push(makeIssue('missing_tags', { line, message, excerpt, suggestion: 'add the tags' }));
    return true;
  }
  const word = tags.findIndex((tag) => !classes.has(tag));
  if (word < 0) return false;
  issues.push(
    makeIssue('unknown_label', {
      line,
      message: `the tag ${quoted(tags[word]!)} of ${quoted(words[word]!)} is not one of those that are learned`,
      excerpt,
      suggestion: 'correct its spelling or delete the row',
      label: tags[word]!,
    }),
  );
  return true;
}

function vanished({ example, words }: Tagged, missing: readonly number[]): DatasetIssue {
  const word = words[missing[0]!]!;
  const spelled = [...word].map(
    (c) => `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`,
  );
  const others = missing.length === 1 ? '' : ` and ${missing.length - 1} more`;
  return makeIssue('word_without_tokens', {
    line: example.line,
    message: `the tokenizer makes nothing of word ${missing[0]! + 1}, ${quoted(word)} (${spelled.slice(0, 4).join(' ')})${others}; its tag is not learned`,
    excerpt: excerptOf(textOf(example.input)),
    suggestion: 'delete the word and its tag if it means nothing',
    word,
    count: missing.length,
  });
}
