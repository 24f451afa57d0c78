// Data tags spans in several ways. All are recognised by the whole file and become IOB2:
//   IOB2   every span begins with B-
//   IOB1   B- only where a span follows another one of its label
//   BIOES  E- ends a span, S- is one of a single word (also as BILOU, and with M- for I-)
//   bare   no prefixes: parts of speech, or one class per word
import { OUTSIDE } from './tags.ts';

export const SCHEMES = ['IOB1', 'IOB2', 'BIOES', 'bare'] as const;
export type Scheme = (typeof SCHEMES)[number];

const PREFIXED = /^([BIMELSU])-(.+)$/s;
// Other spellings of the same roles.
const ROLES: Readonly<Record<string, 'B' | 'I' | 'E' | 'S'>> = {
  ...{ B: 'B', I: 'I', M: 'I', E: 'E', L: 'E', S: 'S', U: 'S' },
};

interface Tag {
  readonly role: 'B' | 'I' | 'E' | 'S' | 'O';
  readonly label: string;
}

function parseTag(tag: string): Tag | undefined {
  if (tag === OUTSIDE) return { role: 'O', label: '' };
  const [, prefix, label] = PREFIXED.exec(tag) ?? [];
  return prefix === undefined ? undefined : { role: ROLES[prefix]!, label: label! };
}

/** Whether a tag can be part of spans. */
export function isSpanTag(tag: string): boolean {
  return parseTag(tag) !== undefined;
}

/** The scheme of a file's tags. Where B- and I- are used both ways, it is IOB2 with mistakes. */
export function schemeOf(sequences: readonly (readonly string[])[]): Scheme {
  let spans = 0;
  let bare = 0;
  let ends = false;
  // What only IOB1 allows, and what it does not.
  let beginsInside = false;
  let needlessBegin = false;
  for (const tags of sequences) {
    let previous: Tag | undefined;
    for (const text of tags) {
      const tag = parseTag(text);
      if (tag === undefined) bare++;
      else if (tag.role !== 'O') spans++;
      if (tag?.role === 'E' || tag?.role === 'S') ends = true;
      const follows = previous !== undefined && previous.label === tag?.label;
      if (tag?.role === 'I' && !follows) beginsInside = true;
      if (tag?.role === 'B' && !follows) needlessBegin = true;
      previous = tag;
    }
  }
  if (bare > spans) return 'bare';
  if (ends) return 'BIOES';
  return beginsInside && !needlessBegin ? 'IOB1' : 'IOB2';
}

export interface Normalised {
  readonly tags: readonly string[];
  /** Words whose tag cannot follow the one before it, or leaves a span without its end. */
  readonly invalid: readonly number[];
}

/**
 * Tags of a scheme as IOB2. Where a sequence breaks its scheme, a span begins with the word that
 * cannot continue one: the reading that seqeval and conlleval have.
 */
export function normaliseTags(tags: readonly string[], scheme: Scheme): Normalised {
  if (scheme === 'bare') return { tags, invalid: [] };
  const invalid: number[] = [];
  const parsed = tags.map((tag) => parseTag(tag) ?? { role: 'O' as const, label: '' });
  // The label of the span that is open in front of the word.
  let open: string | undefined;
  const result = parsed.map(({ role, label }, word) => {
    const begins = role === 'B' || role === 'S' || (role !== 'O' && open !== label);
    const broken =
      scheme === 'BIOES'
        ? role === 'I' || role === 'E'
          ? open !== label
          : open !== undefined
        : scheme === 'IOB2' && role === 'I' && open !== label;
    if (broken) invalid.push(word);
    const closes = role === 'E' || role === 'S' || role === 'O';
    open = closes ? undefined : label;
    return role === 'O' ? OUTSIDE : `${begins ? 'B' : 'I'}-${label}`;
  });
  if (scheme === 'BIOES' && open !== undefined) invalid.push(tags.length - 1);
  return { tags: result, invalid };
}
