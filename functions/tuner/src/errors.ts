export type TunerErrorCode =
  /** A setting of the process that is out of its range. */
  | 'bad_config'
  /** An event that is not about a job of ours. */
  | 'bad_event'
  /** Somebody holds the job. */
  | 'job_busy'
  | 'unknown_backbone'
  /** A data file of the job that does not exist any more. */
  | 'file_gone'
  /** The version that the job continues from, which does not exist any more. */
  | 'parent_gone';

/** Failures of the tuner itself; those of a job's data and training are TuningErrors. */
export class TunerError extends Error {
  override readonly name = 'TunerError';
  readonly code: TunerErrorCode;
  /** The field of the job that is concerned. */
  readonly param: string | undefined;

  constructor(
    code: TunerErrorCode,
    message: string,
    options: { readonly param?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.param = options.param;
  }
}
