import { byCodePoint } from '../datasets/report.ts';
import type { Task } from '../task.ts';
import { answerTagged } from './answer.ts';
import { checkTaggedSplits } from './check-splits.ts';
import { encodeTagged } from './encode.ts';
import { evaluateTagged } from './evaluate.ts';
import { taggedFeatures } from './features.ts';
import { parseTagged } from './parse.ts';
import { groupOf, isSpanSet, OUTSIDE, spanTags } from './tags.ts';
import type { TaggedExample, TokenClassificationTypes } from './types.ts';

/** Names of things in a text (spans, tagged by IOB2), or one tag for each word (parts of speech). */
export const tokenClassification: Task<TokenClassificationTypes> = {
  name: 'token-classification',
  output: 'tokens',
  loss: 'tokens',
  metric: 'f1',
  parse: parseTagged,
  labels: tagsOf,
  checkSplits: (train, dev) => checkTaggedSplits(train, dev),
  encode: encodeTagged,
  features: taggedFeatures,
  answer: answerTagged,
  evaluate: evaluateTagged,
};

/** All tags that can occur: of spans, `I-X` too where the data has `B-X` alone. */
function tagsOf(examples: readonly TaggedExample[]): string[] {
  const tags = new Set<string>();
  for (const { gold } of examples) {
    for (const tag of gold?.tags ?? []) tags.add(tag);
    for (const { label } of gold?.spans ?? []) tags.add(`B-${label}`);
  }
  if (!isSpanSet([...tags])) return [...tags].sort(byCodePoint);
  const labels = new Set([...tags].filter((tag) => tag !== OUTSIDE).map(groupOf));
  return spanTags([...labels].sort(byCodePoint));
}
