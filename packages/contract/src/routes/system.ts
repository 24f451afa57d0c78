// About the process itself; no key needed.

import type { Route } from '../route.ts';
import * as system from '../schemas/system.ts';

export const systemRoutes = {
  health: {
    method: 'GET',
    path: '/health',
    tag: 'System',
    summary: 'Is the process alive?',
    scope: 'public',
    family: 'openai',
    response: { json: system.Health },
  },
  ready: {
    method: 'GET',
    path: '/ready',
    tag: 'System',
    summary: 'Is the backbone loaded and warm?',
    scope: 'public',
    family: 'openai',
    response: { json: system.Ready },
    errors: ['not_ready'],
  },
  ping: {
    method: 'GET',
    path: '/ping',
    tag: 'System',
    summary: 'The same, where SageMaker and other container hosts ask',
    scope: 'public',
    family: 'openai',
    response: { json: system.Ready },
    errors: ['not_ready'],
  },
  info: {
    method: 'GET',
    path: '/info',
    tag: 'System',
    summary: 'What is served, as text-embeddings-inference tells it',
    scope: 'public',
    family: 'openai',
    response: { json: system.Info },
  },
  metrics: {
    method: 'GET',
    path: '/metrics',
    tag: 'System',
    summary: 'Metrics for Prometheus; no names of tenants or prompts',
    scope: 'public',
    family: 'openai',
    response: { other: ['text/plain'] },
  },
  openapi: {
    method: 'GET',
    path: '/openapi.json',
    tag: 'System',
    summary: 'This document',
    scope: 'public',
    family: 'openai',
    response: { other: ['application/json'] },
  },
  docs: {
    method: 'GET',
    path: '/docs',
    tag: 'System',
    summary: 'This document, to read',
    scope: 'public',
    family: 'openai',
    response: { other: ['text/html'] },
  },
} as const satisfies Record<string, Route>;
