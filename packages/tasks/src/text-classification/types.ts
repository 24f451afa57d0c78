import type { Example, TaskTypes } from '../task.ts';
import type { ClassificationEvaluation } from './evaluate.ts';

/** One text, or two whose relation is the question (inference, paraphrase). */
export interface TextInput {
  readonly text: string;
  readonly textPair?: string;
}

/** The gold answer is the label; undefined only in files read for prediction. */
export type TextExample = Example<TextInput, string | undefined>;

export interface LabelScore {
  readonly label: string;
  readonly score: number;
}

export interface AnswerOptions {
  /** What makes scores of logits. Default `softmax`. */
  readonly functionToApply?: 'softmax' | 'sigmoid' | 'none';
  /** Only the best so many. Default all. */
  readonly topK?: number;
}

export interface TextClassificationTypes extends TaskTypes {
  readonly input: TextInput;
  readonly gold: string | undefined;
  /** Index into the labels. */
  readonly target: number;
  /** Best first; equal scores in the order of the labels. */
  readonly answer: readonly LabelScore[];
  readonly options: AnswerOptions;
  readonly evaluation: ClassificationEvaluation;
}
