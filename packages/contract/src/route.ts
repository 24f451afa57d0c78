// What the contract says about one route. The table is in `routes.ts`; servers, the API document and
// conformance tests are all driven by it.

import type { z } from 'zod';
import type { ErrorCode, ErrorFamily } from './errors.ts';
import type { Scope } from './schemas/keys.ts';

export interface RequestBody {
  readonly json?: z.ZodType;
  /** multipart/form-data */
  readonly form?: z.ZodType;
  /** Media type of a body of raw bytes. */
  readonly binary?: string;
  readonly optional?: true;
  readonly maxBytes: number;
}

export interface SuccessBody {
  readonly json?: z.ZodType;
  /** Media types that the same route answers without a schema: event streams, files, pages. */
  readonly other?: readonly string[];
  readonly headers?: readonly ResponseHeader[];
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With parameters in braces, as OpenAPI writes them. */
  readonly path: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  /** Smallest scope of a key that may call it; `public` needs no key. */
  readonly scope: Scope | 'public';
  readonly family: ErrorFamily;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: readonly RequestHeader[];
  readonly body?: RequestBody;
  /** Every success is a 200, as OpenAI's clients expect. */
  readonly response: SuccessBody;
  /** Codes beyond those that `errorsOf` adds to every route of its kind. */
  readonly errors?: readonly ErrorCode[];
}

export const TAGS = {
  Inference: 'Ask a prompt; the Hugging Face clients work unchanged.',
  Files: 'Upload, check and fetch data; the OpenAI clients work unchanged.',
  'Tuning jobs': 'Train versions of prompts; the OpenAI clients work unchanged.',
  Models: 'Backbones and prompt versions as OpenAI models.',
  Prompts: 'Versions, aliases, rollback, archives.',
  Keys: 'API keys of the tenant.',
  Usage: 'What the tenant used.',
  System: 'Health, metrics and this document.',
} as const;
export type Tag = keyof typeof TAGS;

export const REQUEST_HEADERS = {
  'Idempotency-Key': 'Repeating a request with the same key gives the first answer again.',
  'If-Match': 'The ETag that was read; 409 if the prompt has changed since.',
  'Last-Event-ID': 'Continue an event stream behind this event.',
  'X-Amzn-SageMaker-Custom-Attributes':
    'prompt=<reference> and key=<API key>, separated by commas, where the host passes no other header on.',
  'x-split-key': 'Keeps a caller on one version of a split; the API key unless given.',
} as const;
export type RequestHeader = keyof typeof REQUEST_HEADERS;

export const RESPONSE_HEADERS = {
  'x-request-id': 'Id of the request, for reports and logs.',
  'x-prompt-version': 'The version that answered: ft:<backbone>:<tenant>:<name>:<version>.',
  'x-offset-unit': 'What start and end count: codepoint, utf16 or byte.',
  'x-truncated': 'Indices of the inputs that were cut, where truncation was asked for.',
  'x-compute-tokens': 'Tokens computed.',
  'x-compute-time': 'Milliseconds from admission to answer.',
  'x-queue-time': 'Milliseconds of these spent waiting.',
  ETag: 'Revision of the prompt, for If-Match.',
} as const;
export type ResponseHeader = keyof typeof RESPONSE_HEADERS;

/** Every error code that a route can answer with. */
export function errorsOf(route: Route): readonly ErrorCode[] {
  const codes = new Set<ErrorCode>(route.errors);
  if (route.scope !== 'public') {
    for (const code of [
      'auth.missing_key',
      'auth.invalid_key',
      'auth.scope',
      'overloaded',
      'deadline',
    ] as const) {
      codes.add(code);
    }
  }
  if (route.params ?? route.query ?? route.body) {
    codes.add('invalid_request');
    codes.add('invalid_value');
  }
  if (route.body) codes.add('body.too_large');
  if (route.body?.json) codes.add('invalid_json');
  codes.add('internal');
  return [...codes];
}
