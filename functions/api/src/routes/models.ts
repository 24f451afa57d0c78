/** Inference, on Hugging Face's wire. */
import { ApiError, formatPromptId } from '@polyprompt/contract';
import { ServingError } from '@polyprompt/serving';
import { TaskError, type TaskName, type TaskTypes, taskOf } from '@polyprompt/tasks';
import type { Call, Handlers } from '../call.ts';
import type { AppDeps } from '../deps.ts';
import { customAttributes } from '../http/custom-attributes.ts';
import { readInference } from '../inference/read-request.ts';
import type { TaskCall } from '../inference/wire-task.ts';
import type { InferenceMetrics } from '../metrics.ts';
import { resolvePrompt } from '../prompt-access.ts';
import { promptKey } from '../prompt-key.ts';

type Deps = Pick<AppDeps, 'registry' | 'engine' | 'backbone' | 'defaultPrompt'>;
type Unnamed = 'invoke' | 'predict' | 'inferRoot';

export function inferenceHandlers(
  { registry, engine, backbone, defaultPrompt }: Deps,
  metrics: InferenceMetrics,
): Handlers<'infer' | Unnamed> {
  const answer = async (
    { caller, header, setHeader, jsonBody, signal }: Call<'infer' | Unnamed>,
    reference: string,
  ): Promise<Response> => {
    // Pinned before the body is read: however long the rest takes, one version answers.
    const pinned = await resolvePrompt(registry, caller, reference, header('x-split-key'));
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
        throw explain(error, call);
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
  };
  const unnamed = async (call: Call<Unnamed>): Promise<Response> => {
    const { prompt } = customAttributes(call.request.headers);
    if (prompt !== undefined) return answer(call, prompt);
    const body = await call.jsonBody();
    return answer(
      { ...call, jsonBody: async () => body },
      modelOf(body) ?? defaultPrompt ?? none(),
    );
  };
  return {
    infer: (call) => answer(call, call.params.model),
    invoke: unnamed,
    predict: unnamed,
    inferRoot: unnamed,
  };
}

function modelOf(body: unknown): string | undefined {
  const { model } = (body ?? {}) as { readonly model?: unknown };
  if (model === undefined || typeof model === 'string') return model;
  throw ApiError.badRequest('invalid_request', 'model: expected a prompt reference', 'model');
}

function none(): never {
  throw ApiError.badRequest(
    'invalid_request',
    'no prompt is named: send "model" in the body or "prompt=<reference>" in the header X-Amzn-SageMaker-Custom-Attributes, or ask /models/<reference>',
    'model',
  );
}

/** What the client can correct, by its place in the body. */
function explain(
  error: unknown,
  { inputName, optionNames = {}, truncates = true }: TaskCall<TaskTypes>,
): unknown {
  if (error instanceof TaskError && error.code === 'bad_option') {
    // The message begins with the name of the option.
    const message = error.message.replace(/^\w+/, (name) => optionNames[name] ?? name);
    return ApiError.unprocessable('invalid_value', message, 'parameters');
  }
  const [first] = (error instanceof ServingError && error.tooLong) || [];
  if (!first) return error;
  const place = [inputName(first.input), first.part].filter(Boolean).join('.');
  const advice = truncates ? 'shorten it or send "truncate": true' : 'shorten it';
  return ApiError.unprocessable(
    'text.too_long',
    `${place} has ${first.tokens} tokens, the limit is ${first.limit}; ${advice}`,
    place,
  );
}
