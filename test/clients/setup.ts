/**
 * A real server on loopback for unmodified clients. Every answer that they get is held against the
 * contract on its way to them, and every request is counted.
 */
import { InferenceClient } from '@huggingface/inference';
import OpenAI from 'openai';
import { afterAll } from 'vitest';
import { listen } from '../../functions/api/src/node/listen.ts';
import { createConformance } from '../../functions/api/src/testing/conformance.ts';
import {
  type TestServiceOptions,
  testService,
} from '../../functions/api/src/testing/test-service.ts';

export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export async function startServer(options: TestServiceOptions = {}) {
  const service = await testService(options);
  const server = await listen(service.app, '127.0.0.1', 0);
  afterAll(() => server.close(0));
  const url = `http://127.0.0.1:${server.port}`;
  const conformance = createConformance();
  const sent: SentRequest[] = [];
  const checkedFetch: typeof fetch = async (input, init) => {
    const request = new Request(input, {
      ...init,
      ...(init?.body && { duplex: 'half' }),
    } as object);
    const { method } = request;
    const response = await fetch(request);
    const { pathname, search } = new URL(request.url);
    sent.push({ method, path: pathname + search, status: response.status });
    await conformance.check(method, request.url, response);
    return response;
  };
  return {
    ...service,
    url,
    /** Requests of all clients, in order. */
    sent,
    /** `<operation> <status>` of all answers so far. */
    seen: conformance.seen,
    checkedFetch,
    openai: (apiKey: string, more: { maxRetries?: number } = {}) =>
      new OpenAI({ apiKey, baseURL: `${url}/v1`, fetch: checkedFetch, maxRetries: 0, ...more }),
    huggingFace: (apiKey: string, model: string) =>
      new InferenceClient(apiKey, { endpointUrl: `${url}/models/${model}`, fetch: checkedFetch }),
  };
}

/** JSON Lines of two classes. */
export function dataLines(count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      text: `the ${i % 2 ? 'rain' : 'bread'} ${i}`,
      label: i % 2 ? 'weather' : 'food',
    }),
  );
}
