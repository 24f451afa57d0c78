// Backbones and prompt versions as OpenAI models.

import type { Route } from '../route.ts';
import * as models from '../schemas/models.ts';
import { ModelParams } from './shared.ts';

export const modelRoutes = {
  listModels: {
    method: 'GET',
    path: '/v1/models',
    tag: 'Models',
    summary: 'List backbones and prompt versions',
    scope: 'infer',
    family: 'openai',
    response: { json: models.ModelList },
  },
  retrieveModel: {
    method: 'GET',
    path: '/v1/models/{model}',
    tag: 'Models',
    summary: 'Get a backbone or a prompt version',
    scope: 'infer',
    family: 'openai',
    params: ModelParams,
    response: { json: models.Model },
    errors: ['prompt.not_found', 'alias.not_found', 'version.not_found', 'invalid_reference'],
  },
  deleteModel: {
    method: 'DELETE',
    path: '/v1/models/{model}',
    tag: 'Models',
    summary: 'Delete a prompt version',
    scope: 'tune',
    family: 'openai',
    params: ModelParams,
    response: { json: models.ModelDeleted },
    errors: [
      'prompt.not_found',
      'alias.not_found',
      'version.not_found',
      'invalid_reference',
      'prompt.in_use',
    ],
  },
} as const satisfies Record<string, Route>;
