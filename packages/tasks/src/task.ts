// What a task is: how its files are read, how a text becomes rows for the backbone, how logits become
// answers and answers become scores. One folder per task; nothing here knows a model or a file system.

import type { DatasetIssue } from './datasets/issue.ts';
import type { IssueSummary } from './datasets/issue-log.ts';
import type { DatasetReport, DatasetSource, ParseOptions } from './datasets/report.ts';

export const TASK_NAMES = [
  'text-classification',
  'token-classification',
  'question-answering',
] as const;
export type TaskName = (typeof TASK_NAMES)[number];

export interface TaskTypes {
  /** What a user sends: a text, a pair, a question with its context. */
  readonly input: unknown;
  /** What the data says the answer is. */
  readonly gold: unknown;
  /** What the loss compares with: a class, one class per token, a span of positions. */
  readonly target: unknown;
  /** What a user gets back. */
  readonly answer: unknown;
  /** Settings of `encode` and `answer`. */
  readonly options: object;
  readonly evaluation: Evaluation;
}

/** One row of a dataset. */
export interface Example<Input, Gold> {
  readonly input: Input;
  readonly gold: Gold;
  readonly language: string | undefined;
  /** Line of the file that the row begins on, from 1. */
  readonly line: number;
}

export interface Task<T extends TaskTypes> {
  readonly name: TaskName;
  /** Which logits of the graph the task reads: `[classes]` of the pooled row, or `[tokens, classes]`. */
  readonly output: 'pooled' | 'tokens';
  /** What training compares: one distribution per row, per token, or over the positions of each class. */
  readonly loss: 'pooled' | 'tokens' | 'span';
  /** The entry of `Evaluation.metrics` by which versions are compared; higher is better. */
  readonly metric: string;

  /** Reads and checks a whole file. Never throws for bad data: every problem is an issue. */
  parse(
    source: DatasetSource,
    options?: ParseOptions,
  ): DatasetReport<Example<T['input'], T['gold']>>;

  /** The labels of the data in a stable order (by code point), one class of the head each. */
  labels(examples: readonly Example<T['input'], T['gold']>[]): string[];

  /** Compares a development or test file with the training file; the issues are about the former. */
  checkSplits(
    train: readonly Example<T['input'], T['gold']>[],
    dev: readonly Example<T['input'], T['gold']>[],
  ): IssueSummary;

  /** Tokenises inputs for prediction. Nothing is cut unless `limits.truncate` asks for it. */
  encode(
    inputs: readonly T['input'][],
    encoder: Encoder,
    limits: TokenLimits,
    options?: T['options'],
  ): Promise<EncodedInputs>;

  /** Tokenises examples for training or scoring: `encode` with targets, and problems by line. */
  features(
    examples: readonly Example<T['input'], T['gold']>[],
    labels: readonly string[],
    encoder: Encoder,
    limits: TokenLimits,
  ): Promise<EncodedExamples<T['target']>>;

  /**
   * The answer for one input from the logits of all its pieces.
   * @throws TaskError `bad_logits` or `bad_option`
   */
  answer(
    input: T['input'],
    pieces: readonly ScoredPiece[],
    labels: readonly string[],
    options?: T['options'],
  ): T['answer'];

  /**
   * Settings of answers that these scored examples recommend, for tasks that have some to choose; undefined
   * where they recommend none. A prompt keeps those of its dev set.
   */
  choose?(evaluation: T['evaluation']): Partial<T['options']> | undefined;

  /**
   * Scores answers, in the order of the examples.
   * @throws TaskError `length_mismatch` or `unknown_label`
   */
  evaluate(
    examples: readonly Example<T['input'], T['gold']>[],
    answers: readonly T['answer'][],
    labels: readonly string[],
  ): T['evaluation'];
}

/** One row for the backbone. A long input may give several (windows). */
export interface Piece {
  /** Index of the input or example that it is a piece of. */
  readonly example: number;
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** Where the tokens are in the text; only of tasks whose answers point into it. */
  readonly spans?: TokenSpans;
  /** Where an answer may be; only of tasks that find one in a context. */
  readonly context?: ContextTokens;
  /** As the limits had it; only of tasks that choose among the tokens of a word. */
  readonly causal?: boolean;
}

/** The run of tokens of a piece that is a part of the context. */
export interface ContextTokens {
  /** Position of the first of them in the piece. */
  readonly first: number;
  /** Where each is in the context, in code points. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

export interface Feature<Target> extends Piece {
  readonly target: Target;
}

export interface ScoredPiece extends Piece {
  /** Row-major: `[classes]` or `[tokens, classes]`, as `Task.output` says; without padding. */
  readonly logits: Float32Array;
}

export interface TokenLimits {
  /** Room for one piece, special tokens included. */
  readonly maxTokens: number;
  /** Cut texts that are too long at their end; without it they are refused. */
  readonly truncate: boolean;
  /**
   * Whether the backbone reads from left to right, as decoders do. A word is then known at its last
   * token, in an encoder at its first. Default false.
   */
  readonly causal?: boolean;
  /** How many windows all contexts together may make; more are refused while they are made. Any number unless given. */
  readonly maxPieces?: number;
}

/** An input that needs more tokens than there is room for. */
export interface Overrun {
  readonly example: number;
  readonly tokens: number;
  /** The limit, where it is not that of the piece. */
  readonly limit?: number;
  /** What is too long, where it is a part of the input. */
  readonly part?: string;
}

export interface EncodedInputs {
  /** In the order of the inputs. A refused input has none. */
  readonly pieces: readonly Piece[];
  /** With `truncate` the inputs that were cut, without it those that were refused. */
  readonly overruns: readonly Overrun[];
}

export interface EncodedExamples<Target> {
  /** In the order of the examples. A refused example has none. */
  readonly features: readonly Feature<Target>[];
  readonly issues: readonly DatasetIssue[];
  /** Number of examples that were cut. */
  readonly truncated: number;
}

/** Scores of a dataset: over all examples, and over those of each language that the data names. */
export interface Evaluation extends Scores {
  readonly languages: Readonly<Record<string, Scores>>;
}

export interface Scores {
  readonly examples: number;
  /** By name; the name says the averaging (`f1_macro`). Always finite. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What a task needs of a tokenizer; the one of @polyprompt/backbone has this shape. */
export interface Encoder {
  encodeBatch(
    inputs: readonly (string | readonly [text: string, textPair: string])[],
    options?: EncodeOptions,
  ): Promise<readonly TokenEncoding[]>;
  encodeWords(
    inputs: readonly (readonly string[])[],
    options?: EncodeOptions,
  ): Promise<readonly TokenEncoding[]>;
}

export interface EncodeOptions {
  /** At most this many tokens, special ones included. */
  readonly truncateTo?: number;
  /** With `truncateTo`: the rest becomes further windows that overlap by this many tokens. */
  readonly stride?: number;
}

/** Where tokens are in the text; one entry per token. */
export interface TokenSpans {
  /** Row of the token in the encoding of the whole input, of which a window is a part. */
  readonly rows: readonly number[];
  /** In Unicode code points of the text. */
  readonly offsets: readonly (readonly [start: number, end: number])[];
  /** 0 or 1 for the first or second text, null for special tokens. */
  readonly sequenceIds: readonly (number | null)[];
  readonly wordIds: readonly (number | null)[];
}

export interface TokenEncoding extends TokenSpans {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** Number of tokens before anything was cut off. */
  readonly fullLength: number;
  readonly overflowing: readonly TokenEncoding[];
}
