// Asking a prompt.

import { LIMITS } from '../limits.ts';
import type { Route } from '../route.ts';
import * as inference from '../schemas/inference.ts';
import { ModelParams } from './shared.ts';

export const inferenceRoutes = {
  infer: {
    method: 'POST',
    path: '/models/{model}',
    tag: 'Inference',
    summary: 'Run a prompt on texts',
    description:
      'The body follows the task of the prompt. The version is fixed when the request is admitted: all its texts are answered by one version.',
    scope: 'infer',
    family: 'huggingface',
    params: ModelParams,
    headers: ['x-split-key'],
    body: { json: inference.InferenceRequest, maxBytes: LIMITS.inferenceBodyBytes },
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
  },
} as const satisfies Record<string, Route>;
