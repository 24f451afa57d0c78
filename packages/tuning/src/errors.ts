/** What can go wrong with a tuning run, apart from the backbone and the data themselves. */
export type TuningErrorCode =
  | 'bad_setting'
  | 'bad_data'
  | 'diverged'
  | 'interrupted'
  | 'no_version'
  | 'bad_checkpoint'
  | 'checkpoint_mismatch'
  | 'worker_died';

export class TuningError extends Error {
  override readonly name = 'TuningError';
  readonly code: TuningErrorCode;

  constructor(code: TuningErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
