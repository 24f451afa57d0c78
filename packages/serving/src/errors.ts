/** What can go wrong between a request and its answer. Stable; switch on it. */
export type ServingErrorCode =
  | 'bad_option'
  | 'too_many_inputs'
  | 'too_long'
  | 'wrong_task'
  | 'prompt_not_found'
  | 'prompt_unavailable'
  | 'prompt_unfit'
  | 'overloaded'
  | 'deadline_exceeded'
  | 'cancelled'
  | 'start_failed'
  | 'worker_crashed'
  | 'inference_failed'
  | 'closed';

/** An input that has more tokens than there is room for. */
export interface TooLong {
  /** Index of the input in the request. */
  readonly input: number;
  readonly tokens: number;
  readonly limit: number;
  /** What of the input is too long, where it is not the whole. */
  readonly part?: string;
}

/** The error type of this package. */
export class ServingError extends Error {
  override readonly name = 'ServingError';
  readonly code: ServingErrorCode;
  /** Only of `too_long`: every input that is. */
  readonly tooLong: readonly TooLong[] | undefined;

  constructor(
    code: ServingErrorCode,
    message: string,
    options: ErrorOptions & { readonly tooLong?: readonly TooLong[] } = {},
  ) {
    super(message, options);
    this.code = code;
    this.tooLong = options.tooLong;
  }
}
