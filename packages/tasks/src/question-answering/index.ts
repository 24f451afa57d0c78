import type { Task } from '../task.ts';
import { answerQuestion } from './answer.ts';
import { chooseNullThreshold, evaluateQuestions } from './evaluate.ts';
import { questionFeatures } from './features.ts';
import { checkQuestionSplits, parseQuestions } from './parse.ts';
import type { QuestionAnsweringTypes } from './types.ts';
import { encodeQuestions } from './windows.ts';

/** The columns of the head: where an answer starts and where it ends. */
export const SPAN_LABELS = ['start', 'end'] as const;

/** The part of a context that answers a question. */
export const questionAnswering: Task<QuestionAnsweringTypes> = {
  name: 'question-answering',
  output: 'tokens',
  loss: 'span',
  metric: 'f1',
  parse: parseQuestions,
  labels: () => [...SPAN_LABELS],
  checkSplits: (train, dev) => checkQuestionSplits(train, dev),
  encode: encodeQuestions,
  features: questionFeatures,
  answer: (input, pieces, _labels, options) => answerQuestion(input, pieces, options),
  evaluate: evaluateQuestions,
  choose: chooseNullThreshold,
};
