// Asking a prompt.

import { LIMITS } from '../limits.ts';
import type { Route } from '../route.ts';
import * as inference from '../schemas/inference.ts';
import { ModelParams } from './shared.ts';

const shared = {
  method: 'POST',
  tag: 'Inference',
  scope: 'infer',
  family: 'huggingface',
  response: {
    json: inference.InferenceResponse,
    headers: [
      'x-prompt-version',
      'x-offset-unit',
      'x-truncated',
      'x-compute-tokens',
      'x-compute-time',
      'x-queue-time',
    ],
  },
  errors: [
    'prompt.not_found',
    'alias.not_found',
    'version.not_found',
    'backbone.not_found',
    'invalid_reference',
    'task.mismatch',
    'text.too_long',
    'quota',
    'deadline',
  ],
} as const satisfies Partial<Route>;

/** The same under the paths that hosts of models ask, which name no prompt. */
const unnamed = {
  ...shared,
  description:
    'The prompt is named by X-Amzn-SageMaker-Custom-Attributes, by "model" in the body, or by the settings of the service, in this order. Where the host keeps the Authorization header to itself, as SageMaker does, the attributes carry the key, too.',
  headers: ['x-split-key', 'X-Amzn-SageMaker-Custom-Attributes'],
  body: { json: inference.UnnamedInferenceRequest, maxBytes: LIMITS.inferenceBodyBytes },
} as const satisfies Partial<Route>;

export const inferenceRoutes = {
  infer: {
    ...shared,
    path: '/models/{model}',
    summary: 'Run a prompt on texts',
    description:
      'The body follows the task of the prompt. The version is fixed when the request is admitted: all its texts are answered by one version.',
    params: ModelParams,
    headers: ['x-split-key'],
    body: { json: inference.InferenceRequest, maxBytes: LIMITS.inferenceBodyBytes },
  },
  invoke: { ...unnamed, path: '/invocations', summary: 'Run a prompt, as SageMaker asks' },
  predict: { ...unnamed, path: '/predict', summary: 'Run a prompt, as other hosts of models ask' },
  inferRoot: { ...unnamed, path: '/', summary: 'Run a prompt, as Inference Endpoints ask' },
} as const satisfies Record<string, Route>;
