// Whether an answer is where the data says, and where it is instead.

import { CodePoints } from '@polyprompt/text';

/** Whether a text is at a place of a context, in code points. */
export function isAt(context: CodePoints, text: string, start: number): boolean {
  return context.slice(start, start + new CodePoints(text).length) === text;
}

/**
 * Starts of the occurrences of a text, in code points, each behind the end of the one before it: all that
 * overlap are as many as the context is long, and each to be compared as a whole.
 */
export function occurrences(context: CodePoints, text: string): number[] {
  const starts: number[] = [];
  if (text === '') return starts;
  const find = (from: number) => context.text.indexOf(text, from);
  for (let at = find(0); at >= 0; at = find(at + text.length)) starts.push(context.fromUtf16(at));
  return starts;
}

/** The occurrence that is closest to a place; undefined if there is none. */
export function nearest(starts: readonly number[], place: number): number | undefined {
  return [...starts].sort((a, b) => Math.abs(a - place) - Math.abs(b - place))[0];
}

/** What a context has that is nearly the text: with other capitals, spaces or forms of characters. */
export function similar(context: string, text: string): string | undefined {
  const words = text
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
  const [direct] = new RegExp(words.join('\\s*'), 'iu').exec(context) ?? [];
  if (direct !== undefined) return direct;
  for (const form of ['NFC', 'NFD', 'NFKC'] as const) {
    const normal = text.normalize(form);
    if (normal !== text && context.includes(normal)) return normal;
  }
  return undefined;
}
