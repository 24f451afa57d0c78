export type ReproduceErrorCode = 'no_data' | 'bad_manifest' | 'bad_option';

/** Why a comparison cannot be run; the message says what to change. */
export class ReproduceError extends Error {
  override readonly name = 'ReproduceError';
  readonly code: ReproduceErrorCode;

  constructor(code: ReproduceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
