import { ApiError, LIMITS, openApiDocument } from '@polyprompt/contract';
import type { Registry } from 'prom-client';
import type { Handlers } from '../call.ts';
import type { AppDeps } from '../deps.ts';
import { docsPage } from '../docs-page.ts';

/** What the page may do: show itself. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

export function systemHandlers(
  { engine, backbone, version }: Pick<AppDeps, 'engine' | 'backbone' | 'version'>,
  metrics: Registry,
): Handlers<'health' | 'ready' | 'ping' | 'info' | 'metrics' | 'openapi' | 'docs'> {
  const ready = async () => {
    if (!engine.stats().runtime) throw ApiError.notReady('the backbone is still loading');
    const { id, fingerprint } = backbone;
    return { status: 'ready' as const, backbone: { id, fingerprint } };
  };
  // Made when somebody reads it: few processes are asked, and all of them start.
  const document = once(() => openApiDocument(version));
  const page = once(() => docsPage(document()));
  const json = once(() => JSON.stringify(document()));
  return {
    health: async () => ({ status: 'ok', version }),
    ready,
    ping: ready,
    info: async () => {
      const { runtime } = engine.stats();
      return {
        model_id: backbone.id,
        model_sha: backbone.fingerprint,
        ...(runtime && { model_dtype: runtime.precision, device: runtime.device }),
        max_client_batch_size: LIMITS.inputs,
        version,
      };
    },
    metrics: async () => respond(await metrics.metrics(), metrics.contentType),
    openapi: async () => respond(json(), 'application/json'),
    docs: async () =>
      respond(page(), 'text/html; charset=utf-8', { 'content-security-policy': PAGE_POLICY }),
  };
}

function respond(body: string, type: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { headers: { 'content-type': type, ...headers } });
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
