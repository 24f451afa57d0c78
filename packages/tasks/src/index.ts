export { CodePoints, OFFSET_UNITS, type OffsetUnit } from '@polyprompt/text';
export type { Format } from './datasets/format.ts';
export { FORMATS } from './datasets/format.ts';
export type {
  DatasetIssue,
  IssueCode,
  IssueDetails,
  IssueFields,
  Severity,
} from './datasets/issue.ts';
export { ISSUE_CODES, makeIssue } from './datasets/issue.ts';
export type { IssueSummary } from './datasets/issue-log.ts';
export type { DatasetLimits } from './datasets/limits.ts';
export { DATASET_LIMITS } from './datasets/limits.ts';
export type {
  ColumnChoice,
  DatasetReport,
  DatasetSource,
  ParseOptions,
  Purpose,
} from './datasets/report.ts';
export { showIssue } from './datasets/show-issue.ts';
export type { TaskErrorCode } from './errors.ts';
export { TaskError } from './errors.ts';
export type { ClassificationScores, LabelMetrics } from './metrics/classification.ts';
export { scorePairs } from './metrics/classification.ts';
export { sigmoid, softmax } from './metrics/scores.ts';
export { type Chunk, seqevalChunks } from './metrics/seqeval.ts';
export { type SpanReport, type SpanScores, scoreSpans } from './metrics/spans.ts';
export {
  type AnswerWords,
  exactMatch,
  languageWords,
  squadWords,
  wordF1,
} from './metrics/squad.ts';
export { questionAnswering, SPAN_LABELS } from './question-answering/index.ts';
export type {
  GoldAnswer,
  QuestionAnswer,
  QuestionAnsweringTypes,
  QuestionEvaluation,
  QuestionExample,
  QuestionInput,
  QuestionMetrics,
  QuestionOptions,
  QuestionScores,
  SpanAnswer,
  SpanTarget,
} from './question-answering/types.ts';
export { taskOf } from './registry.ts';
export * from './task.ts';
export { classify } from './text-classification/answer.ts';
export { checkSplits } from './text-classification/check-splits.ts';
export type { ClassificationEvaluation } from './text-classification/evaluate.ts';
export { textClassification } from './text-classification/index.ts';
export type {
  AnswerOptions,
  LabelScore,
  TextClassificationTypes,
  TextExample,
  TextInput,
} from './text-classification/types.ts';
export type { TaggingEvaluation, TaggingScores } from './token-classification/evaluate.ts';
export { tokenClassification } from './token-classification/index.ts';
export {
  AGGREGATIONS,
  type Aggregation,
  type Entity,
  type Span,
  type TaggedExample,
  type TaggingAnswer,
  type TaggingGold,
  type TaggingInput,
  type TaggingOptions,
  type TokenClassificationTypes,
} from './token-classification/types.ts';
