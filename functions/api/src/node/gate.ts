/**
 * What answers while the service starts. The port opens first: hosts that scale to zero send the request that
 * woke them as soon as it does, so requests wait here instead of being refused; hosts that ask whether the
 * service is ready are told no.
 */
import { ApiError, renderError } from '@polyprompt/contract';
import { requestIdOf } from '../http/request-id.ts';

type Fetch = (request: Request, env?: unknown) => Response | Promise<Response>;

export interface Gate {
  readonly fetch: Fetch;
  /** Lets through what waits and what comes. */
  open(app: { readonly fetch: Fetch }): void;
}

/** @param waitMs time that a request waits before it is told to come again */
export function createGate({
  version,
  waitMs,
}: {
  readonly version: string;
  readonly waitMs: number;
}): Gate {
  const { promise: opened, resolve: open } = Promise.withResolvers<{ readonly fetch: Fetch }>();
  let app: { readonly fetch: Fetch } | undefined;
  const wait = async (request: Request, env: unknown) => {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), waitMs);
    const ready = await Promise.race([opened, late]);
    clearTimeout(timer);
    return ready ? ready.fetch(request, env) : refuse(request, stillStarting(waitMs));
  };
  return {
    fetch(request, env) {
      if (app) return app.fetch(request, env);
      switch (new URL(request.url).pathname) {
        case '/health':
          return Response.json({ status: 'ok', version }, { headers: idOf(request) });
        case '/ready':
        case '/ping':
          return refuse(request, ApiError.notReady('the service is starting'));
        default:
          return wait(request, env);
      }
    },
    open(service) {
      app = service;
      open(service);
    },
  };
}

function refuse(request: Request, error: ApiError): Response {
  const isTuning = new URL(request.url).pathname.startsWith('/v1/');
  const isStatus = error.status === 503;
  const { status, headers, body } = renderError(
    error,
    isTuning || isStatus ? 'openai' : 'huggingface',
  );
  return Response.json(body, { status, headers: { ...headers, ...idOf(request) } });
}

function stillStarting(waitMs: number): ApiError {
  const message = `the service is still starting after ${waitMs} ms; try again`;
  return new ApiError('deadline', 504, message);
}

function idOf(request: Request): Record<string, string> {
  return { 'x-request-id': requestIdOf(request) };
}
