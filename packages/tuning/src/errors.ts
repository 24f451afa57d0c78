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
  /** The setting at fault, of `bad_setting`; `candidates` and `from` are some, too. */
  readonly setting: string | undefined;

  constructor(
    code: TuningErrorCode,
    message: string,
    { setting, ...options }: { readonly cause?: unknown; readonly setting?: string } = {},
  ) {
    super(message, options);
    this.code = code;
    this.setting = setting;
  }
}

/** @throws TuningError `bad_setting` */
export function refuseSetting(setting: string, message: string): never {
  throw new TuningError('bad_setting', message, { setting });
}
