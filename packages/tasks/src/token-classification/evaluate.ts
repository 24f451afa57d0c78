import { byCodePoint } from '../datasets/report.ts';
import { TaskError } from '../errors.ts';
import { seqevalChunks } from '../metrics/seqeval.ts';
import { type SpanReport, scoreSpans } from '../metrics/spans.ts';
import type { Evaluation, Scores } from '../task.ts';
import { tagsFor } from './features.ts';
import { isSpanSet, OUTSIDE, spansOf } from './tags.ts';
import type { TaggedExample, TaggingAnswer } from './types.ts';

export interface TaggingScores extends Scores {
  readonly metrics: {
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
    readonly f1_macro: number;
    /** Right tags / words. */
    readonly accuracy: number;
    /** Of bare tags alone: F1 of the spans that seqeval sees in them. */
    readonly f1_seqeval_bare?: number;
  } & Readonly<Record<string, number>>;
  readonly words: number;
  readonly perLabel: SpanReport['perLabel'];
}

export interface TaggingEvaluation extends Evaluation, TaggingScores {
  readonly metrics: TaggingScores['metrics'];
  readonly languages: Readonly<Record<string, TaggingScores>>;
}

type LabelledSpan = readonly [label: string, start: number, end: number];

interface Compared {
  readonly language: string | undefined;
  readonly spans: readonly [gold: readonly LabelledSpan[], found: readonly LabelledSpan[]];
  readonly tags: readonly [gold: readonly string[], found: readonly string[]];
}

/**
 * Compares spans by label and both ends, as seqeval does; bare tags word by word. Overall and per
 * language.
 * @throws TaskError `length_mismatch`
 */
export function evaluateTagged(
  examples: readonly TaggedExample[],
  answers: readonly TaggingAnswer[],
  labels: readonly string[],
): TaggingEvaluation {
  if (examples.length !== answers.length) {
    const message = `${answers.length} answers for ${examples.length} examples`;
    throw new TaskError('length_mismatch', message);
  }
  const bare = !isSpanSet(labels);
  const compared = examples.map((example, i) => compare(example, answers[i]!, bare));
  const groups = Map.groupBy(compared, ({ language }) => language);
  const tags = [...groups.keys()].filter((tag) => tag !== undefined).sort(byCodePoint);
  return {
    ...scoresOf(compared, bare),
    languages: Object.fromEntries(tags.map((tag) => [tag, scoresOf(groups.get(tag)!, bare)])),
  };
}

function compare(
  { gold, language, line }: TaggedExample,
  { tags, words }: TaggingAnswer,
  bare: boolean,
): Compared {
  if (gold === undefined) {
    throw new TaskError('unknown_label', `the example of line ${line} has no tags`);
  }
  const place = ([start, end]: readonly [number, number]) =>
    gold.spans === undefined
      ? ([start, end] as const)
      : ([words[start]![0], words[end - 1]![1]] as const);
  const runs = (sequence: readonly string[]) =>
    bare
      ? eachWord(sequence)
      : spansOf(sequence).map(({ label, start, end }) => [label, start, end] as const);
  const found = runs(tags).map(([label, start, end]) => [label, ...place([start, end])] as const);
  if (gold.spans !== undefined) {
    const wanted = gold.spans.map(({ label, start, end }) => [label, start, end] as const);
    return { language, spans: [wanted, found], tags: [tagsFor(words, gold.spans), tags] };
  }
  if (gold.tags.length !== tags.length) {
    const message = `${tags.length} tags for the ${gold.tags.length} words of line ${line}`;
    throw new TaskError('length_mismatch', message);
  }
  return { language, spans: [runs(gold.tags), found], tags: [gold.tags, tags] };
}

function eachWord(tags: readonly string[]): LabelledSpan[] {
  return tags.flatMap((tag, word) => (tag === OUTSIDE ? [] : [[tag, word, word + 1] as const]));
}

function scoresOf(compared: readonly Compared[], bare: boolean): TaggingScores {
  const { precision, recall, f1, f1Macro, perLabel } = scoreSpans(
    compared.map(({ spans }) => spans),
  );
  const words = compared.reduce((sum, { tags: [gold] }) => sum + gold.length, 0);
  const right = compared.reduce(
    (sum, { tags: [gold, found] }) => sum + gold.filter((tag, i) => tag === found[i]).length,
    0,
  );
  const accuracy = words === 0 ? 0 : right / words;
  const chunks = ([0, 1] as const).map((side) =>
    seqevalChunks(compared.map(({ tags }) => tags[side])),
  );
  return {
    examples: compared.length,
    words,
    metrics: {
      precision,
      recall,
      f1,
      f1_macro: f1Macro,
      accuracy,
      ...(bare ? { f1_seqeval_bare: scoreSpans([[chunks[0]!, chunks[1]!]]).f1 } : {}),
    },
    perLabel,
  };
}
