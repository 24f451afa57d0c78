import type { OffsetUnit } from '@polyprompt/text';
import type { Example, TaskTypes } from '../task.ts';
import type { TaggingEvaluation } from './evaluate.ts';

/** A text as people write it, or one that is split into words already. */
export type TaggingInput =
  | { readonly text: string; readonly tokens?: undefined }
  | { readonly tokens: readonly string[]; readonly text?: undefined };

/** A labelled part of a text, in code points. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly label: string;
}

/** One tag per given word (IOB2 where they mark spans), or the spans of a text. */
export type TaggingGold =
  | { readonly tags: readonly string[]; readonly spans?: undefined }
  | { readonly spans: readonly Span[]; readonly tags?: undefined };

/** The gold answer is undefined only in files read for prediction. */
export type TaggedExample = Example<TaggingInput, TaggingGold | undefined>;

export const AGGREGATIONS = ['none', 'simple', 'first', 'average', 'max'] as const;
/**
 * What decides the tag of a word: the token that training labels (`simple`), its first token, or the
 * mean or the most certain of its tokens' probabilities. Neighbours of one span become one entity;
 * `none` lists tokens instead.
 */
export type Aggregation = (typeof AGGREGATIONS)[number];

export interface TaggingOptions {
  /** Default `simple`. */
  readonly aggregation?: Aggregation;
  /** Tags and groups to leave out of the entities. Default `O` alone. */
  readonly ignoreLabels?: readonly string[];
  /** Tokens that neighbouring windows of a long text share. Default a quarter of a window. */
  readonly stride?: number;
  /** What `start` and `end` of entities count. Default code points. */
  readonly offsetUnit?: OffsetUnit;
}

/** A named part of the text: `text.slice(start, end)` is its word, in the unit that was asked for. */
export interface Entity {
  /** The label without the prefix of its scheme. */
  readonly group: string;
  /** With aggregation `none`: the tag itself, such as `B-PER`, and the row of the token. */
  readonly tag?: string;
  readonly index?: number;
  /** Mean probability of the tags. */
  readonly score: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

export interface TaggingAnswer {
  /** Place of each word in the text, in code points; given words count as joined by single spaces. */
  readonly words: readonly (readonly [start: number, end: number])[];
  /** One per word; always a valid sequence. */
  readonly tags: readonly string[];
  /** Probability of each tag. */
  readonly scores: readonly number[];
  readonly entities: readonly Entity[];
}

export interface TokenClassificationTypes extends TaskTypes {
  readonly input: TaggingInput;
  readonly gold: TaggingGold | undefined;
  /** Class of each token, -1 for those that are not labelled. */
  readonly target: readonly number[];
  readonly answer: TaggingAnswer;
  readonly options: TaggingOptions;
  readonly evaluation: TaggingEvaluation;
}
