import { QuestionAnsweringRequest, type Answer as WireAnswer } from '@polyprompt/contract';
import {
  CodePoints,
  type OffsetUnit,
  type QuestionAnsweringTypes,
  type SpanAnswer,
} from '@polyprompt/tasks';
import type { z } from 'zod';
import type { WireTask } from './wire-task.ts';

type Body = z.output<typeof QuestionAnsweringRequest>;

export const questionAnsweringWire: WireTask<QuestionAnsweringTypes, Body> = {
  task: 'question-answering',
  schema: QuestionAnsweringRequest,
  inputs: 'an object with question and context, or a list of them',
  read({ inputs, parameters, truncate }) {
    const list = Array.isArray(inputs) ? inputs : [inputs];
    const { top_k, doc_stride, max_answer_len, max_seq_len, max_question_len } = parameters ?? {};
    const { handle_impossible_answer, null_threshold, align_to_words } = parameters ?? {};
    const offsetUnit = parameters?.offset_unit ?? 'codepoint';
    const options = {
      topK: top_k,
      docStride: doc_stride,
      maxAnswerTokens: max_answer_len,
      maxTokens: max_seq_len,
      maxQuestionTokens: max_question_len,
      handleImpossible: handle_impossible_answer,
      nullThreshold: null_threshold,
      alignToWords: align_to_words,
    };
    const given = Object.entries(options).filter(
      ([, value]) => value !== undefined && value !== null,
    );
    return {
      inputs: list.map(({ question, context }) => ({ question, context })),
      options: Object.fromEntries(given),
      optionNames: {
        topK: 'top_k',
        docStride: 'doc_stride',
        maxAnswerTokens: 'max_answer_len',
        maxTokens: 'max_seq_len',
        maxQuestionTokens: 'max_question_len',
        nullThreshold: 'null_threshold',
      },
      truncate: parameters?.truncate ?? truncate ?? false,
      offsetUnit,
      inputName: (index) => (Array.isArray(inputs) ? `inputs[${index}]` : 'inputs'),
      render(answers) {
        const rendered = answers.map(({ answers: best }, i) => {
          const context = new CodePoints(list[i]!.context);
          const wired = best.map((answer) => inUnit(answer, context, offsetUnit));
          // An object where one answer was asked for, a list where several were, however many there are.
          return (top_k ?? 1) === 1 ? wired[0]! : wired;
        });
        return Array.isArray(inputs) ? rendered : rendered[0]!;
      },
    };
  },
};

function inUnit(
  { answer, score, start, end }: SpanAnswer,
  context: CodePoints,
  unit: OffsetUnit,
): WireAnswer {
  return { answer, score, start: context.inUnit(start, unit), end: context.inUnit(end, unit) };
}
