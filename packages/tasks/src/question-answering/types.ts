import type { Evaluation, Example, Scores, TaskTypes } from '../task.ts';

export interface QuestionInput {
  readonly question: string;
  readonly context: string;
  /** As the data names the question; it is carried along. */
  readonly id?: string;
}

/** A part of the context. */
export interface GoldAnswer {
  readonly text: string;
  /** In code points of the context. */
  readonly start: number;
}

/** None for a question that the context does not answer; undefined only in files read for prediction. */
export type GoldAnswers = readonly GoldAnswer[] | undefined;

export type QuestionExample = Example<QuestionInput, GoldAnswers>;

export interface SpanAnswer {
  /** Exactly the context from `start` to `end`; empty, from 0 to 0, for "there is none". */
  readonly answer: string;
  /** A probability. */
  readonly score: number;
  /** In code points of the context. */
  readonly start: number;
  readonly end: number;
}

export interface QuestionAnswer {
  /** Best first, at least one; "there is none" is among them only where the options allow it. */
  readonly answers: readonly SpanAnswer[];
  /** The best that is a part of the context; undefined for a context without tokens. */
  readonly span: SpanAnswer | undefined;
  /** The probability that the context holds no answer. */
  readonly nullScore: number;
  /** Whether the options let "there is none" be an answer. */
  readonly handlesImpossible: boolean;
  /** The threshold of the options. */
  readonly nullThreshold: number;
}

export interface QuestionOptions {
  /** Answers at most. Default 1. */
  readonly topK?: number;
  /** Tokens of a window, the question included. Default 384, or what the backbone has room for. */
  readonly maxTokens?: number;
  /** Tokens that neighbouring windows share; at most half of their context. Default 128. */
  readonly docStride?: number;
  /** Questions with more tokens are refused. Default: what leaves a quarter of the window. */
  readonly maxQuestionTokens?: number;
  /** Longest answer in tokens. Default 30. */
  readonly maxAnswerTokens?: number;
  /** Whether "there is none" can be an answer. Default false. */
  readonly handleImpossible?: boolean;
  /**
   * "There is none" wins if its log probability is more than this above that of the best answer; an
   * evaluation says which value is best, and a prompt keeps the best for its dev set. Default 0.
   */
  readonly nullThreshold?: number;
  /** Extend answers to whole words, as Unicode and its dictionaries divide them. Default true. */
  readonly alignToWords?: boolean;
}

/** Where the answer is in one window, in tokens of its row; both 0 where it is not. */
export interface SpanTarget {
  readonly start: number;
  readonly end: number;
}

/** Shares from 0 to 1. */
export interface QuestionMetrics extends Readonly<Record<string, number>> {
  /** As the SQuAD script has them, for any language. */
  readonly exact_match: number;
  readonly f1: number;
  /** With the articles of the example's language, and character by character without spaces. */
  readonly exact_match_language: number;
  readonly f1_language: number;
}

export interface QuestionScores extends Scores {
  readonly metrics: QuestionMetrics;
}

export interface QuestionEvaluation extends Evaluation, QuestionScores {
  /** Questions that the context does not answer. */
  readonly impossible: number;
  readonly metrics: QuestionMetrics;
  readonly languages: Readonly<Record<string, QuestionScores>>;
}

export interface QuestionAnsweringTypes extends TaskTypes {
  readonly input: QuestionInput;
  readonly gold: GoldAnswers;
  readonly target: SpanTarget;
  readonly answer: QuestionAnswer;
  readonly options: QuestionOptions;
  readonly evaluation: QuestionEvaluation;
}
