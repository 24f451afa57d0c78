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
