import { toUnit } from '@polyprompt/text';
import { TaskError } from '../errors.ts';
import type { ScoredPiece } from '../task.ts';
import { bestTags } from './decode.ts';
import { continues, groupOf, isSpanSet, OUTSIDE } from './tags.ts';
import type { Entity, TaggingAnswer, TaggingInput, TaggingOptions } from './types.ts';
import { type TokenScores, tokenScores, wordScores } from './word-scores.ts';
import { type WordSpan, type Words, wordsOf } from './words.ts';

/**
 * Tags and entities of a text from the logits of its windows.
 * @throws TaskError `bad_logits`, `bad_option`
 */
export function answerTagged(
  input: TaggingInput,
  pieces: readonly ScoredPiece[],
  labels: readonly string[],
  options: TaggingOptions = {},
): TaggingAnswer {
  const { aggregation = 'simple', ignoreLabels = [OUTSIDE], offsetUnit = 'codepoint' } = options;
  if (pieces.length === 0)
    throw new TaskError('bad_logits', 'a text to tag has at least one piece');
  const words = wordsOf(input);
  const tokens = tokenScores(pieces, labels.length);
  const causal = pieces[0]!.causal ?? false;
  const byWord = wordScores(tokens, words.spans.length, aggregation, causal);
  const path = bestTags(byWord, labels);
  const tags = path.map((index) => labels[index]!);
  const scores = path.map((index, word) => byWord[word]?.[index] ?? 1 / labels.length);
  const tagged: Tagged = { words, tags, scores };
  const entities = aggregation === 'none' ? listTokens(tagged, tokens) : joinWords(tagged, labels);
  const inUnit = toUnit(words.text.text, offsetUnit);
  const isKept = ({ group, tag }: Entity) =>
    !ignoreLabels.includes(group) && (tag === undefined || !ignoreLabels.includes(tag));
  return {
    words: words.spans,
    tags,
    scores,
    entities: entities.filter(isKept).map((entity) => ({
      ...entity,
      start: inUnit(entity.start),
      end: inUnit(entity.end),
    })),
  };
}

interface Tagged {
  readonly words: Words;
  readonly tags: readonly string[];
  readonly scores: readonly number[];
}

/**
 * Neighbouring words of one span as one entity. Bare tags that know an outside (`O`) name things, too,
 * and neighbours with one tag are joined; parts of speech stay one by one.
 */
function joinWords({ words, tags, scores }: Tagged, labels: readonly string[]): Entity[] {
  const joinsEqual = isSpanSet(labels) || labels.includes(OUTSIDE);
  const joins = (word: number) => {
    const [previous, tag] = [tags[word - 1], tags[word]!];
    if (previous === undefined) return false;
    const equal = tag === previous && !tag.startsWith('B-');
    return continues(previous, tag) || (joinsEqual && equal);
  };
  const groups: number[][] = [];
  tags.forEach((_, word) => {
    if (joins(word)) groups.at(-1)!.push(word);
    else groups.push([word]);
  });
  return groups.map((group) => {
    const start = words.spans[group[0]!]![0];
    const end = words.spans[group.at(-1)!]![1];
    return {
      group: groupOf(tags[group[0]!]!),
      score: group.reduce((sum, word) => sum + scores[word]!, 0) / group.length,
      word: words.text.slice(start, end),
      start,
      end,
    };
  });
}

/** Every token by itself, with the tag and the score of its word; only the first can begin a span. */
function listTokens({ words, tags, scores }: Tagged, tokens: readonly TokenScores[]): Entity[] {
  const joined = joinedStarts(words);
  let last = -1;
  return tokens.flatMap(({ row, word, offset }): Entity[] => {
    const [start, end] = inText(words.spans[word]!, joined[word]!, offset);
    if (start >= end) return [];
    const tag = word === last ? tags[word]!.replace(/^B-/, 'I-') : tags[word]!;
    last = word;
    const text = words.text.slice(start, end);
    return [{ group: groupOf(tag), tag, index: row, score: scores[word]!, word: text, start, end }];
  });
}

/** Where each word begins once they are joined by single spaces, which is how they are tokenised. */
function joinedStarts({ spans }: Words): number[] {
  let next = 0;
  return spans.map(([start, end]) => {
    const at = next;
    next += end - start + 1;
    return at;
  });
}

function inText([start, end]: WordSpan, joined: number, offset: WordSpan): WordSpan {
  const within = (position: number) => Math.min(end, Math.max(start, start + position - joined));
  return [within(offset[0]), within(offset[1])];
}
