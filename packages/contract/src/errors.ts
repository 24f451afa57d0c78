// One taxonomy of errors for the whole API, rendered once per family of routes. The two wire formats
// cannot be merged: Hugging Face clients want a string under `error`, OpenAI clients an object.

import { z } from 'zod';

/** Every code, with its status and what its message looks like (the example in the API document). */
export const ERRORS = {
  invalid_json: { status: 400, example: 'the body is not JSON: unexpected end of input' },
  invalid_request: {
    status: 400,
    example: 'parameters.top_k: expected number, received string "three"',
    param: 'parameters.top_k',
  },
  'task.mismatch': {
    status: 400,
    example:
      'prompt "topics" does text-classification: inputs must be a text, a text pair or a list of them',
    param: 'inputs',
  },
  'settings.invalid': {
    status: 400,
    example:
      'prompt.recipe: recipe "magic" is unknown; known are default, tu2022-xnli, tu2022-pawsx',
    param: 'prompt.recipe',
  },
  'job.finished': {
    status: 400,
    example: 'job "ftjob-1" has already succeeded; only a running or waiting job can be cancelled',
  },
  'auth.missing_key': {
    status: 401,
    example: 'no API key: send the header "Authorization: Bearer <key>"',
  },
  'auth.invalid_key': { status: 401, example: 'the API key is unknown, expired or revoked' },
  'auth.scope': {
    status: 403,
    example: 'the key "key-1" has the scope infer; this needs tune: create a key with it',
  },
  'route.not_found': { status: 404, example: 'no route PUT /v1/files; this path takes GET, POST' },
  'prompt.not_found': {
    status: 404,
    example: 'no prompt "topics"; GET /v1/prompts lists those of this key',
    param: 'model',
  },
  'alias.not_found': {
    status: 404,
    example: 'prompt "topics" has no alias "staging"; it has production',
    param: 'model',
  },
  'version.not_found': {
    status: 404,
    example: 'prompt "topics" has no version 9; the newest is 4',
    param: 'version',
  },
  'backbone.not_found': {
    status: 404,
    example: 'no backbone "xlm-r"; this service has polyprompt-mini',
    param: 'model',
  },
  'file.not_found': { status: 404, example: 'no file "file-1"', param: 'training_file' },
  'job.not_found': { status: 404, example: 'no job "ftjob-1"' },
  'key.not_found': { status: 404, example: 'no key "key-1"' },
  'alias.conflict': {
    status: 409,
    example: 'alias "production" of "topics" has been moved meanwhile; read it again and repeat',
    param: 'If-Match',
  },
  'prompt.in_use': {
    status: 409,
    example:
      'version 3 of "topics" cannot be deleted: the alias production points to it; move it first',
  },
  'file.in_use': {
    status: 409,
    example: 'file "file-1" is used by job "ftjob-1"; cancel it first',
  },
  'job.state': {
    status: 409,
    example: 'job "ftjob-1" is queued; only a running job can be paused',
  },
  'idempotency.mismatch': {
    status: 409,
    example: 'this Idempotency-Key was used for another request; take a new one',
    param: 'Idempotency-Key',
  },
  'body.too_large': {
    status: 413,
    example: 'the body has 3145728 bytes, the limit is 2097152; send fewer texts per request',
  },
  invalid_value: {
    status: 422,
    example: 'inputs: expected at most 128 items, got 1000',
    param: 'inputs',
  },
  invalid_reference: {
    status: 422,
    example: '"Topics" in "Topics@7" is no prompt name; it must have lower-case letters',
    param: 'model',
  },
  'text.too_long': {
    status: 422,
    example: 'inputs[2] has 731 tokens, the limit is 510; shorten it or send "truncate": true',
    param: 'inputs[2]',
  },
  'file.invalid': {
    status: 422,
    example: 'file "file-1" has 3 problems, the first in line 17: no "label"',
    param: 'training_file',
  },
  'archive.invalid': { status: 422, example: 'prompt.safetensors: damaged: its hash differs' },
  overloaded: { status: 429, example: 'too many requests wait already (1024); try again' },
  quota: {
    status: 429,
    example:
      'tenant "acme" has 100 jobs that have not ended, the limit; wait for one or cancel one',
  },
  internal: { status: 500, example: 'internal error; report it with the request id' },
  not_ready: { status: 503, example: 'the backbone is still loading' },
  deadline: {
    status: 504,
    example: 'no answer within 10000 ms; send fewer or shorter texts per request',
  },
} as const satisfies Record<string, { status: number; example: string; param?: string }>;

export type ErrorCode = keyof typeof ERRORS;
export type ErrorStatus = (typeof ERRORS)[ErrorCode]['status'];
type CodeOf<Status extends ErrorStatus> = {
  [Code in ErrorCode]: (typeof ERRORS)[Code]['status'] extends Status ? Code : never;
}[ErrorCode];

/** Which clients a route speaks to, and so how its errors look. */
export type ErrorFamily = 'huggingface' | 'openai';

/** An error that a client sees. The constructors by status accept only codes of that status. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  readonly status: ErrorStatus;
  /** The field, parameter or header at fault. */
  readonly param: string | null;
  /** When to try again, for 429. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    status: ErrorStatus,
    message: string,
    param: string | null = null,
    options: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.status = status;
    this.param = param;
    this.retryAfterMs = options.retryAfterMs;
  }

  static badRequest(code: CodeOf<400>, message: string, param?: string): ApiError {
    return new ApiError(code, 400, message, param);
  }

  static unauthorized(code: CodeOf<401>, message: string): ApiError {
    return new ApiError(code, 401, message);
  }

  static forbidden(code: CodeOf<403>, message: string): ApiError {
    return new ApiError(code, 403, message);
  }

  static notFound(code: CodeOf<404>, message: string, param?: string): ApiError {
    return new ApiError(code, 404, message, param);
  }

  static conflict(code: CodeOf<409>, message: string, param?: string): ApiError {
    return new ApiError(code, 409, message, param);
  }

  static tooLarge(actualBytes: number, limitBytes: number, advice: string): ApiError {
    const message = `the body has ${actualBytes} bytes, the limit is ${limitBytes}; ${advice}`;
    return new ApiError('body.too_large', 413, message);
  }

  static unprocessable(code: CodeOf<422>, message: string, param?: string): ApiError {
    return new ApiError(code, 422, message, param);
  }

  static tooMany(code: CodeOf<429>, message: string, retryAfterMs: number): ApiError {
    return new ApiError(code, 429, message, null, { retryAfterMs });
  }

  /** The cause is for the log; the client reads a fixed sentence. */
  static internal(cause: unknown): ApiError {
    return new ApiError('internal', 500, ERRORS.internal.example, null, { cause });
  }

  /** For `/ready` alone: Hugging Face clients repeat a 503 at once and without end. */
  static notReady(message: string): ApiError {
    return new ApiError('not_ready', 503, message);
  }

  static deadline(limitMs: number): ApiError {
    const message = `no answer within ${limitMs} ms; send fewer or shorter texts per request, or try again`;
    return new ApiError('deadline', 504, message);
  }
}

/** The body of an error under `/v1`. */
export const OpenAiError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.enum([
        'invalid_request_error',
        'authentication_error',
        'permission_error',
        'rate_limit_error',
        'server_error',
      ]),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .meta({ id: 'OpenAiError', description: 'An error under /v1.' });
export type OpenAiError = z.infer<typeof OpenAiError>;

/** The body of an error under `/models`. */
export const HuggingFaceError = z
  .object({ error: z.string() })
  .meta({ id: 'HuggingFaceError', description: 'An error under /models.' });
export type HuggingFaceError = z.infer<typeof HuggingFaceError>;

export interface RenderedError {
  readonly status: ErrorStatus;
  /** Besides `content-type` and `x-request-id`, which every response has. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: OpenAiError | HuggingFaceError;
}

/** Renders an error the way the clients of a family read it. */
export function renderError(error: ApiError, family: ErrorFamily): RenderedError {
  const { code, status, message, param } = error;
  const body =
    family === 'huggingface'
      ? { error: message }
      : { error: { message, type: openAiType(status), param, code } };
  return { status, headers: errorHeaders(error), body };
}

function errorHeaders({ code, status, retryAfterMs }: ApiError): Record<string, string> {
  const headers: Record<string, string> = {};
  // OpenAI clients would repeat a lost compare-and-set, which cannot succeed unchanged, and what is over a
  // quota, which takes longer than they wait.
  if (status === 409 || code === 'quota') headers['x-should-retry'] = 'false';
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  if (retryAfterMs !== undefined) {
    headers['retry-after-ms'] = String(retryAfterMs);
    headers['retry-after'] = String(Math.ceil(retryAfterMs / 1000));
  }
  return headers;
}

function openAiType(status: ErrorStatus): OpenAiError['error']['type'] {
  switch (status) {
    case 400:
    case 404:
    case 409:
    case 413:
    case 422:
      return 'invalid_request_error';
    case 401:
      return 'authentication_error';
    case 403:
      return 'permission_error';
    case 429:
      return 'rate_limit_error';
    case 500:
    case 503:
    case 504:
      return 'server_error';
    default:
      return status satisfies never;
  }
}
