/**
 * From the errors of the packages to those of the wire: the one place that knows both. Messages pass
 * where they say what the client can do about it; what is our fault becomes one fixed sentence, its
 * cause goes to the log.
 */
import { ApiError } from '@polyprompt/contract';
import { PromptError } from '@polyprompt/prompts';
import { RegistryError, type RegistryErrorCode } from '@polyprompt/registry';
import { ServingError } from '@polyprompt/serving';

/** Time after which a refused request is worth another try. */
const RETRY_MS = 1000;
/** Jobs take minutes, so less makes no sense. */
const QUOTA_RETRY_MS = 60_000;

export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof RegistryError) return fromRegistry(error);
  if (error instanceof ServingError) return fromServing(error);
  if (error instanceof PromptError) {
    return ApiError.unprocessable('archive.invalid', error.message);
  }
  return ApiError.internal(error);
}

/**
 * Why a request failed whose signal may have been aborted: by the host, which then gives its reason, or because
 * the client did not wait for the answer.
 */
export function failureOf(error: unknown, { aborted, reason }: AbortSignal): ApiError | 'left' {
  if (!aborted || error instanceof ApiError) return toApiError(error);
  return reason instanceof ApiError ? reason : 'left';
}

function fromRegistry(error: RegistryError): ApiError {
  const { code, message } = error;
  switch (code) {
    case 'key_not_found':
      return ApiError.notFound('key.not_found', `${message}; GET /v1/keys lists them`);
    case 'file_not_found':
      return ApiError.notFound(
        'file.not_found',
        `${message}; GET /v1/files lists those of this key`,
      );
    case 'job_not_found':
      return ApiError.notFound(
        'job.not_found',
        `${message}; GET /v1/fine_tuning/jobs lists those of this key`,
      );
    case 'prompt_not_found':
      return ApiError.notFound(
        'prompt.not_found',
        `${message}; GET /v1/prompts lists those of this key`,
      );
    case 'alias_not_found':
      return ApiError.notFound('alias.not_found', message);
    case 'version_not_found':
    case 'no_previous':
      return ApiError.notFound('version.not_found', message);
    case 'bad_value':
    case 'bad_secret':
      return ApiError.unprocessable('invalid_value', message);
    case 'bad_archive':
      return ApiError.unprocessable('archive.invalid', message);
    case 'file_not_ready':
      return ApiError.unprocessable('file.invalid', message);
    case 'too_large':
      return new ApiError('body.too_large', 413, message);
    case 'too_many_jobs':
      return ApiError.tooMany('quota', message, QUOTA_RETRY_MS);
    case 'limit':
      return new ApiError('quota', 429, message);
    case 'file_in_use':
      return ApiError.conflict('file.in_use', message);
    case 'prompt_in_use':
      return ApiError.conflict('prompt.in_use', message);
    case 'alias_conflict':
      return ApiError.conflict('alias.conflict', message, 'If-Match');
    case 'idempotency_mismatch':
      return ApiError.conflict('idempotency.mismatch', message, 'Idempotency-Key');
    case 'job_state':
      return ApiError.conflict('job.state', message);
    case 'job_finished':
      return ApiError.badRequest('job.finished', message);
    case 'backbone_not_found':
    case 'backbone_exists':
    case 'backbone_damaged':
    case 'no_space':
    case 'sweep_stuck':
    case 'lease_lost':
    case 'stop_wanted':
      return ApiError.internal(error);
    default:
      code satisfies never;
      return ApiError.internal(error);
  }
}

function fromServing(error: ServingError): ApiError {
  const { code, message } = error;
  switch (code) {
    case 'too_many_inputs':
      return ApiError.unprocessable('invalid_value', message, 'inputs');
    case 'too_long':
      return ApiError.unprocessable('text.too_long', message, 'inputs');
    case 'wrong_task':
      return ApiError.badRequest('task.mismatch', message, 'inputs');
    case 'prompt_not_found':
      return ApiError.notFound('version.not_found', 'the version has just been deleted', 'model');
    // Imported as it is, or trained on what the backbone was before: the client's to replace.
    case 'prompt_unfit':
      return ApiError.notFound('backbone.not_found', message, 'model');
    // Never 503, which Hugging Face clients repeat at once and without end.
    case 'overloaded':
      return ApiError.tooMany('overloaded', message, RETRY_MS);
    case 'closed':
      return ApiError.tooMany('overloaded', 'this process is shutting down; try again', RETRY_MS);
    case 'deadline_exceeded':
      return new ApiError('deadline', 504, message);
    case 'bad_option':
    case 'prompt_unavailable':
    case 'cancelled':
    case 'start_failed':
    case 'worker_crashed':
    case 'inference_failed':
      return ApiError.internal(error);
    default:
      code satisfies never;
      return ApiError.internal(error);
  }
}

/** True for a failure of the registry with this code. */
export function hasCode(error: unknown, code: RegistryErrorCode): error is RegistryError {
  return error instanceof RegistryError && error.code === code;
}
