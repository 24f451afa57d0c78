import {
  CodePoints,
  type OffsetUnit,
  type QuestionAnsweringTypes,
  type QuestionEvaluation,
  questionAnswering,
  type SpanAnswer,
} from '@polyprompt/tasks';
import { CliError } from '../errors.ts';
import { count, fixed } from '../format.ts';
import { table } from '../table.ts';
import { rounded, type TaskView } from './view.ts';

export const questionAnsweringView: TaskView<QuestionAnsweringTypes> = {
  task: questionAnswering,
  flags: [
    'question',
    'context',
    'topK',
    'stride',
    'maxAnswerTokens',
    'handleImpossible',
    'nullThreshold',
    'offsetUnit',
  ],
  rows({ question = [], context = [] }) {
    if (question.length === 0) throw new CliError('usage', 'give a --question about the --context');
    if (context.length !== 1 && context.length !== question.length) {
      throw new CliError(
        'usage',
        `there are ${question.length} questions and ${context.length} contexts; give one --context for all or one for each`,
      );
    }
    return question.map((one, i) => ({ question: one, context: context[i] ?? context[0] }));
  },
  usage: () => '--question "..." --context "..."',
  options({ topK, stride, maxAnswerTokens, handleImpossible, nullThreshold, maxTokens }) {
    return {
      ...(topK !== undefined && { topK }),
      ...(stride !== undefined && { docStride: stride }),
      ...(maxAnswerTokens !== undefined && { maxAnswerTokens }),
      ...(maxTokens !== undefined && { maxTokens }),
      // A threshold means nothing where every question has an answer.
      ...((handleImpossible || nullThreshold !== undefined) && { handleImpossible: true }),
      ...(nullThreshold !== undefined && { nullThreshold }),
    };
  },
  line({ id, question, context }, { answers }, { topK = 1, offsetUnit = 'codepoint' }) {
    const points = new CodePoints(context);
    const shown = answers.map((answer) => inUnit(answer, points, offsetUnit));
    return {
      ...(id === undefined ? {} : { id }),
      question,
      ...shown[0]!,
      ...(topK > 1 ? { answers: shown } : {}),
    };
  },
  metrics: ({ metrics }) => [
    ...['exact_match', 'f1', 'f1_language'],
    ...('f1_best' in metrics ? ['f1_answerable', 'accuracy_impossible'] : []),
  ],
  unknownLabels: () => [],
  cut: 'question',
  details,
};

function inUnit(
  { answer, score, start, end }: SpanAnswer,
  context: CodePoints,
  unit: OffsetUnit,
): SpanAnswer {
  return {
    answer,
    score: rounded(score),
    start: context.inUnit(start, unit),
    end: context.inUnit(end, unit),
  };
}

/** All metrics, one line each: those about impossible questions are there where the data has some. */
function details(title: string, { metrics, examples }: QuestionEvaluation): string {
  const rows = Object.entries(metrics).map(([name, value]) => [name, fixed(value)]);
  return `${title}, ${count(examples)} questions\n${table(['metric', 'value'], rows, 'lr')}\n`;
}
