import { byCodePoint } from '../datasets/report.ts';
import { TaskError } from '../errors.ts';
import {
  type AnswerWords,
  exactMatch,
  languageWords,
  squadWords,
  wordF1,
} from '../metrics/squad.ts';
import { bestNullThreshold, type Judged } from './null-threshold.ts';
import type {
  QuestionAnswer,
  QuestionEvaluation,
  QuestionExample,
  QuestionMetrics,
  QuestionOptions,
  QuestionScores,
} from './types.ts';

/**
 * Compares the best answer of each question with its gold answers, the closest of them, overall and per
 * language. As soon as one question is impossible, SQuAD 2.0's rules hold for all: "there is none" is an
 * answer, given where it is likelier than the best span by the threshold, and further metrics say how well.
 * @throws TaskError `length_mismatch`, `unknown_label` for an example without gold answers
 */
export function evaluateQuestions(
  examples: readonly QuestionExample[],
  answers: readonly QuestionAnswer[],
): QuestionEvaluation {
  if (examples.length !== answers.length) {
    throw new TaskError(
      'length_mismatch',
      `${answers.length} answers for ${examples.length} questions`,
    );
  }
  const withNone = examples.some(({ gold }) => gold?.length === 0);
  const judged = examples.map((example, i) => judge(example, answers[i]!, withNone));
  const groups = Map.groupBy(judged, ({ language }) => language);
  const tags = [...groups.keys()].filter((tag) => tag !== undefined).sort(byCodePoint);
  return {
    ...scoresOf(judged, withNone),
    impossible: judged.filter(({ impossible }) => impossible).length,
    languages: Object.fromEntries(tags.map((tag) => [tag, scoresOf(groups.get(tag)!, withNone)])),
  };
}

/**
 * The threshold that is best for these questions; none unless some of them have an answer and some have not,
 * for without both there is nothing to weigh.
 */
export function chooseNullThreshold({
  metrics,
  examples,
  impossible,
}: QuestionEvaluation): Pick<QuestionOptions, 'nullThreshold'> | undefined {
  const { f1_best_threshold: nullThreshold } = metrics;
  if (nullThreshold === undefined || impossible === examples) return undefined;
  return { nullThreshold };
}

interface JudgedExample extends Judged {
  readonly language: string | undefined;
  readonly exact: number;
  readonly f1: number;
  readonly exactLanguage: number;
  readonly f1Language: number;
}

function judge(
  { gold, language, line }: QuestionExample,
  { answers, span, nullScore, handlesImpossible, nullThreshold }: QuestionAnswer,
  withNone: boolean,
): JudgedExample {
  if (gold === undefined) {
    throw new TaskError(
      'unknown_label',
      `the question of line ${line} has no answer to compare with`,
    );
  }
  // How much likelier "there is none" is than the best span; what a threshold is compared with.
  const ratio = span ? Math.log(nullScore) - Math.log(span.score) : Number.POSITIVE_INFINITY;
  const margin = Number.isNaN(ratio) ? 0 : ratio;
  const prefersNone = handlesImpossible ? answers[0]?.answer === '' : margin > nullThreshold;
  const isNone = withNone && (prefersNone || span === undefined);
  const impossible = gold.length === 0;
  const texts = gold.map(({ text }) => text);
  const spanScore = (words: AnswerWords, measure: typeof wordF1) =>
    impossible ? 0 : closest(texts, span?.answer ?? '', words, measure, withNone);
  const score = (words: AnswerWords, measure: typeof wordF1) =>
    isNone ? Number(impossible) : spanScore(words, measure);
  const local = languageWords(language);
  return {
    language,
    impossible,
    spanF1: spanScore(squadWords, wordF1),
    exact: score(squadWords, exactMatch),
    f1: score(squadWords, wordF1),
    exactLanguage: score(local, exactMatch),
    f1Language: score(local, wordF1),
    margin,
  };
}

function closest(
  gold: readonly string[],
  span: string,
  words: AnswerWords,
  measure: typeof wordF1,
  version2: boolean,
): number {
  const said = words(span);
  const texts = gold.map(words);
  // SQuAD 2.0 leaves out gold answers without words, unless there are no others.
  const worded = version2 ? texts.filter(({ length }) => length > 0) : texts;
  const scores = (worded.length > 0 ? worded : [[]]).map((each) =>
    measure(said, each, version2 ? 1 : 0),
  );
  return Math.max(...scores);
}

function scoresOf(judged: readonly JudgedExample[], withNone: boolean): QuestionScores {
  const metrics: QuestionMetrics = {
    exact_match: mean(judged, ({ exact }) => exact),
    f1: mean(judged, ({ f1 }) => f1),
    exact_match_language: mean(judged, ({ exactLanguage }) => exactLanguage),
    f1_language: mean(judged, ({ f1Language }) => f1Language),
  };
  if (!withNone) return { examples: judged.length, metrics };
  const possible = judged.filter(({ impossible }) => !impossible);
  const impossible = judged.filter((each) => each.impossible);
  const best = bestNullThreshold(judged);
  return {
    examples: judged.length,
    metrics: {
      ...metrics,
      f1_answerable: mean(possible, ({ f1 }) => f1),
      accuracy_impossible: mean(impossible, ({ f1 }) => f1),
      f1_best: best.f1,
      f1_best_threshold: best.threshold,
    },
  };
}

function mean<T>(values: readonly T[], of: (value: T) => number): number {
  return values.length === 0
    ? 0
    : values.reduce((sum, value) => sum + of(value), 0) / values.length;
}
