/** What can be wrong with a backbone folder or with what is asked of it. Stable; switch on it. */
export type BackboneErrorCode =
  | 'not_a_model_folder'
  | 'bad_config'
  | 'unknown_model_type'
  | 'unsupported_activation'
  | 'weights_missing'
  | 'pickle_weights'
  | 'bad_weights'
  | 'truncated_file'
  | 'shard_missing'
  | 'tensor_missing'
  | 'tensor_shape'
  | 'unsupported_dtype'
  | 'missing_tokenizer'
  | 'bad_tokenizer'
  | 'prompt_too_long'
  | 'bad_option'
  | 'changed_while_reading'
  | 'folder_exists'
  | 'device_unavailable';

/** The error type of this package; the message says what is wrong, which value, and what to do. */
export class BackboneError extends Error {
  override readonly name = 'BackboneError';
  readonly code: BackboneErrorCode;

  constructor(code: BackboneErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
