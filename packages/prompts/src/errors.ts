/** What can be wrong with a prompt artifact. Stable; switch on it. */
export type PromptErrorCode =
  | 'incomplete'
  | 'damaged'
  | 'not_a_prompt'
  | 'format_too_new'
  | 'bad_prompt'
  | 'bad_card'
  | 'not_finite'
  | 'wrong_backbone'
  /** Files of a PEFT adapter that do not fit together. */
  | 'bad_adapter'
  /** A PEFT adapter that is sound, but of a kind that is not read. */
  | 'unsupported_adapter'
  /** A prompt that PEFT has no form for. */
  | 'not_exportable';

/** The error type of this package. */
export class PromptError extends Error {
  override readonly name = 'PromptError';
  readonly code: PromptErrorCode;

  constructor(code: PromptErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
