// Spans as seqeval reads them (default mode, version 1.2.2), prefixes of any scheme, valid or not. It
// takes the first character of a tag for the prefix and the rest for the type, also where a tag has
// no prefix: on parts of speech, runs of one tag are one span, CCONJ and SCONJ share the type CONJ,
// X has the type of O and is lost at the end of a sentence, and tags that begin with B, S, E, I or O
// behave as those prefixes do.

export type Chunk = readonly [type: string, start: number, end: number];

/**
 * The spans of several sequences as if they were one with an `O` behind each, which is what seqeval
 * makes of them; `end` is the last word.
 */
export function seqevalChunks(sequences: readonly (readonly string[])[]): Chunk[] {
  const chunks: Chunk[] = [];
  let [previous, previousType] = ['O', ''];
  let begin = 0;
  let i = 0;
  for (const text of [...sequences.flatMap((tags) => [...tags, 'O']), 'O']) {
    const [tag, type] = partsOf(text);
    if (endsChunk(previous, tag, previousType, type)) chunks.push([previousType, begin, i - 1]);
    if (startsChunk(previous, tag, previousType, type)) begin = i;
    [previous, previousType] = [tag, type];
    i++;
  }
  return chunks;
}

function partsOf(text: string): [tag: string, type: string] {
  const tag = [...text][0] ?? '';
  const rest = text.slice(tag.length);
  return [tag, rest.slice(rest.indexOf('-') + 1) || '_'];
}

function endsChunk(previous: string, tag: string, previousType: string, type: string): boolean {
  if (previous === 'E' || previous === 'S') return true;
  if ((previous === 'B' || previous === 'I') && ['B', 'S', 'O'].includes(tag)) return true;
  return previous !== 'O' && previous !== '.' && previousType !== type;
}

function startsChunk(previous: string, tag: string, previousType: string, type: string): boolean {
  if (tag === 'B' || tag === 'S') return true;
  if (['E', 'S', 'O'].includes(previous) && ['E', 'I'].includes(tag)) return true;
  return tag !== 'O' && tag !== '.' && previousType !== type;
}
