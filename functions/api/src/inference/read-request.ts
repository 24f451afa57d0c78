/** From the body of an inference request to a call in the words of the prompt's task. */
import { ApiError, InferenceRequest, validate } from '@polyprompt/contract';
import type { TaskTypes } from '@polyprompt/tasks';
import { questionAnsweringWire } from './question-answering.ts';
import { textClassificationWire } from './text-classification.ts';
import { tokenClassificationWire } from './token-classification.ts';
import type { TaskCall, WireTask } from './wire-task.ts';
import { zeroShotWire } from './zero-shot.ts';

// A body is read as what its task says; the adapters check no less than their schemas.
const BY_TASK: Readonly<Record<string, AnyWire>> = {
  'text-classification': textClassificationWire as AnyWire,
  'token-classification': tokenClassificationWire as AnyWire,
  'question-answering': questionAnsweringWire as AnyWire,
};
type AnyWire = WireTask<TaskTypes, unknown>;

/**
 * @param prompt for messages
 * @throws ApiError `invalid_request`, `invalid_value`, `task.mismatch`
 */
export function readInference(
  prompt: { readonly name: string; readonly task: string },
  body: unknown,
): TaskCall<TaskTypes> {
  const wire = wireFor(prompt, body);
  const parsed = wire.schema.safeParse(body);
  if (parsed.success) return wire.read(parsed.data);
  // Inputs that are right for another task are a mistake in the URL, not in the body.
  const inInputs = parsed.error.issues.every(({ path }) => path[0] === 'inputs');
  if (inInputs && InferenceRequest.safeParse(body).success)
    throw mismatch(prompt, `must be ${wire.inputs}`);
  return wire.read(validate(wire.schema, body));
}

function wireFor(prompt: { readonly name: string; readonly task: string }, body: unknown): AnyWire {
  const own = BY_TASK[prompt.task];
  if (!own) throw mismatch(prompt, 'are not served for it by this release');
  const zeroShot = own.task === zeroShotWire.task && hasCandidates(body);
  return zeroShot ? (zeroShotWire as AnyWire) : own;
}

function hasCandidates(body: unknown): boolean {
  const parameters = (body as { parameters?: unknown } | null)?.parameters;
  return typeof parameters === 'object' && parameters !== null && 'candidate_labels' in parameters;
}

function mismatch({ name, task }: { name: string; task: string }, must: string): ApiError {
  const message = `prompt "${name}" does ${task}: inputs ${must}`;
  return ApiError.badRequest('task.mismatch', message, 'inputs');
}
