/** What a caller can do wrong. Bad data is no error: it is reported as issues. */
export type TaskErrorCode =
  | 'bad_logits'
  | 'bad_option'
  | 'length_mismatch'
  | 'unknown_label'
  | 'unknown_task';

/** The error type of this package. */
export class TaskError extends Error {
  override readonly name = 'TaskError';
  readonly code: TaskErrorCode;

  constructor(code: TaskErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
