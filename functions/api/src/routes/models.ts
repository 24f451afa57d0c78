/** Inference, on Hugging Face's wire. */
import { ApiError, formatPromptId } from '@polyprompt/contract';
import { ServingError } from '@polyprompt/serving';
import { type TaskName, type TaskTypes, taskOf } from '@polyprompt/tasks';
import type { Handlers } from '../call.ts';
import type { AppDeps } from '../deps.ts';
import { readInference } from '../inference/read-request.ts';
import type { TaskCall } from '../inference/wire-task.ts';
import type { InferenceMetrics } from '../metrics.ts';
import { resolvePrompt } from '../prompt-access.ts';
import { promptKey } from '../prompt-key.ts';

type Deps = Pick<AppDeps, 'registry' | 'engine' | 'backbone'>;

export function inferenceHandlers(
  { registry, engine, backbone }: Deps,
  metrics: InferenceMetrics,
): Handlers<'infer'> {
  return {
    async infer({ caller, params, header, setHeader, jsonBody, signal }) {
      // Pinned before the body is read: however long the rest takes, one version answers.
      const pinned = await resolvePrompt(registry, caller, params.model, header('x-split-key'));
      if (pinned.backbone !== backbone.id) {
        const message = `prompt "${pinned.name}" was trained on the backbone "${pinned.backbone}"; this service has ${backbone.id}`;
        throw ApiError.notFound('backbone.not_found', message, 'model');
      }
      const call = readInference(pinned, await jsonBody());
      const result = await engine
        .infer({
          promptKey: promptKey(pinned),
          task: taskOf(pinned.task as TaskName),
          inputs: call.inputs,
          options: call.options,
          truncate: call.truncate,
          tenant: caller.tenant,
          signal,
        })
        .catch((error) => {
          throw nameInput(error, call);
        });
      const { answers, tokens, timing, truncated } = result;
      registry.usage.record(caller.tenant, pinned.name, { requests: 1, tokens });
      metrics.answered({ task: pinned.task, inputs: answers.length, tokens, ...timing });
      setHeader('x-prompt-version', formatPromptId(pinned));
      setHeader('x-compute-tokens', String(tokens));
      setHeader('x-compute-time', timing.totalMs.toFixed(1));
      setHeader('x-queue-time', timing.queueMs.toFixed(1));
      if (truncated.length > 0) setHeader('x-truncated', truncated.join(','));
      if (call.offsetUnit) setHeader('x-offset-unit', call.offsetUnit);
      return Response.json(call.render(answers));
    },
  };
}

/** A text that is too long, by its place in the body. */
function nameInput(error: unknown, { inputName }: TaskCall<TaskTypes>): unknown {
  const [first] = (error instanceof ServingError && error.tooLong) || [];
  if (!first) return error;
  const place = inputName(first.input);
  return ApiError.unprocessable(
    'text.too_long',
    `${place} has ${first.tokens} tokens, the limit is ${first.limit}; shorten it or send "truncate": true`,
    place,
  );
}
