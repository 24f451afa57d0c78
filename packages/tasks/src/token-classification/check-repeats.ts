import { excerptOf } from '../datasets/issue.ts';
import type { IssueLog } from '../datasets/issue-log.ts';
import type { TaggedExample, TaggingGold, TaggingInput } from './types.ts';

/** The words or the text as people read them. */
export function textOf({ text, tokens }: TaggingInput): string {
  return text ?? tokens.join(' ');
}

/** What two examples have in common if a model cannot tell them apart. */
export function inputKey({ text, tokens }: TaggingInput): string {
  return text ?? tokens.join('\0');
}

/**
 * Warns of sentences that repeat an earlier one with other tags. The same sentence with the same tags
 * is nothing to warn of: short ones repeat in every corpus.
 */
export function checkRepeats(examples: readonly TaggedExample[], log: IssueLog): void {
  const firsts = new Map<string, TaggedExample>();
  for (const example of examples) {
    const key = inputKey(example.input);
    const first = firsts.get(key);
    if (first === undefined) {
      firsts.set(key, example);
      continue;
    }
    const [was, is] = [describe(first.gold), describe(example.gold)];
    if (was === is) continue;
    log.add('conflicting_labels', {
      line: example.line,
      message: `the words have other tags here than on line ${first.line}`,
      excerpt: excerptOf(textOf(example.input)),
      suggestion: 'decide for one reading, unless the words do mean two things',
      firstLine: first.line,
      labels: [was, is],
    });
  }
}

function describe(gold: TaggingGold | undefined): string {
  if (gold === undefined) return '';
  if (gold.tags !== undefined) return gold.tags.join(' ');
  return gold.spans.map(({ start, end, label }) => `${start}-${end} ${label}`).join();
}
