// Tags and the spans that they mark. Inside of this package spans are tagged by IOB2: `B-` begins one,
// `I-` continues it, `O` is outside. A set of tags without such prefixes (parts of speech) is "bare".

/** The tag of words outside of all spans. */
export const OUTSIDE = 'O';

const PREFIXED = /^([BI])-(.+)$/s;

/** Whether a label list is of IOB2 tags; a list of `O` alone is. */
export function isSpanSet(labels: readonly string[]): boolean {
  return labels.every((label) => label === OUTSIDE || PREFIXED.test(label));
}

/** The tag without its prefix. */
export function groupOf(tag: string): string {
  return PREFIXED.exec(tag)?.[2] ?? tag;
}

/** Whether `tag` goes on with the span that `previous` is in. */
export function continues(previous: string | undefined, tag: string): boolean {
  return tag.startsWith('I-') && previous !== undefined && groupOf(previous) === groupOf(tag);
}

/** The classes of a head for spans with these labels: all that can occur in any text. */
export function spanTags(labels: readonly string[]): string[] {
  return [...labels.flatMap((label) => [`B-${label}`, `I-${label}`]), OUTSIDE];
}

export interface TagRun {
  readonly label: string;
  /** First word and the one after the last. */
  readonly start: number;
  readonly end: number;
}

/** The spans of a valid IOB2 sequence, in words. */
export function spansOf(tags: readonly string[]): TagRun[] {
  const runs: TagRun[] = [];
  tags.forEach((tag, word) => {
    if (tag === OUTSIDE) return;
    const last = runs.at(-1);
    if (last !== undefined && last.end === word && continues(tags[word - 1], tag)) {
      runs[runs.length - 1] = { ...last, end: word + 1 };
    } else {
      runs.push({ label: groupOf(tag), start: word, end: word + 1 });
    }
  });
  return runs;
}
