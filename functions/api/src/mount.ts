/**
 * Puts the contract's route table on a Hono app: every route of it, and nothing else. What all routes
 * share happens here, in this order: request id, log and metrics, key and scope, path and query,
 * handler, JSON. Errors are rendered in one place, the way the clients of the route's family read them.
 */
import {
  ApiError,
  type ErrorFamily,
  eachRoute,
  nestFields,
  type OperationId,
  type Route,
  renderError,
  scopeAllows,
  validate,
  validateJson,
} from '@polyprompt/contract';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import type { Caller, Handlers } from './call.ts';
import { failureOf } from './errors.ts';
import { readText } from './http/body.ts';
import { customAttributes } from './http/custom-attributes.ts';
import type { HeldBytes } from './http/held-bytes.ts';
import { requestIdOf } from './http/request-id.ts';
import type { Observer } from './observe.ts';

interface Env {
  Variables: {
    requestId: string;
    operation: OperationId;
    family: ErrorFamily;
    caller: Caller;
  };
}

export interface MountOptions {
  readonly handlers: Handlers;
  /** Who a secret belongs to; undefined if it is unknown, expired or revoked. */
  readonly authenticate: (secret: string) => Promise<Caller | undefined>;
  readonly observer: Observer;
  /** What bodies take in memory while they are worked on. */
  readonly held: HeldBytes;
}

/** What every handler looks like from here; the exact types are the handlers' own affair. */
type AnyHandler = (call: unknown) => Promise<object>;

/** Nginx's number for "the client closed the connection"; nobody is there to read it. */
const CLIENT_GONE = 499;

export function mountRoutes({ handlers, authenticate, observer, held }: MountOptions): Hono {
  const app = new Hono<Env>();
  app.use(async (c, next) => {
    const requestId = requestIdOf(c.req.raw);
    c.set('requestId', requestId);
    const done = observer.begin();
    await next();
    c.header('x-request-id', requestId);
    c.header('x-content-type-options', 'nosniff');
    done({
      requestId,
      method: c.req.method,
      operation: c.get('operation'),
      caller: c.get('caller'),
      status: c.res.status,
      error: c.error,
    });
  });
  for (const [id, route] of eachRoute()) {
    app.on(route.method, honoPath(route.path), async (c) => {
      c.set('operation', id);
      c.set('family', route.family);
      if (route.scope !== 'public') {
        const caller = await callerOf(c.req.raw, authenticate);
        c.set('caller', caller);
        checkScope(caller, route.scope);
      }
      const headers: [string, string][] = [];
      const answer = await held.hold(c.get('caller')?.tenant ?? '', (count) =>
        (handlers[id] as AnyHandler)(callOf(c, route, headers, count)),
      );
      const response = answer instanceof Response ? answer : c.json(answer);
      for (const [name, value] of headers) response.headers.set(name, value);
      // Hono answers HEAD by GET and drops the body; what feeds it has to hear of that.
      if (c.req.raw.method === 'HEAD') await response.body?.cancel();
      return response;
    });
  }
  app.notFound((c) => {
    const methods = methodsOf(c.req.path).join(', ');
    const advice = methods ? `this path takes ${methods}` : 'GET /openapi.json lists all';
    const message = `no route ${c.req.method} ${c.req.path}; ${advice}`;
    return respond(c, ApiError.notFound('route.not_found', message));
  });
  app.onError((error, c) => {
    const failure = failureOf(error, c.req.raw.signal);
    return failure === 'left' ? new Response(null, { status: CLIENT_GONE }) : respond(c, failure);
  });
  // What the handlers share among themselves is nobody else's business.
  return app as unknown as Hono;
}

/** `/v1/jobs/{id}` to `/v1/jobs/:id`; a prompt reference may contain a slash. */
export function honoPath(path: string): string {
  return path.replace('{model}', ':model{.+}').replaceAll(/\{(\w+)\}/g, ':$1');
}

function methodsOf(path: string): string[] {
  const fits = (pattern: string) =>
    new RegExp(`^${pattern.replace('{model}', '.+').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path);
  return eachRoute().flatMap(([, route]) => (fits(route.path) ? [route.method] : []));
}

function callOf(
  c: Context<Env>,
  { params, query, body }: Route,
  headers: [string, string][],
  count: (bytes: number) => void,
) {
  const request = c.req.raw;
  const jsonBody = async () => {
    const text = await readText(request, body?.maxBytes ?? 0, count);
    return validateJson(z.unknown(), text === '' && body?.optional ? '{}' : text);
  };
  return {
    params: params && validate(params, c.req.param()),
    query: query && validate(query, nestFields(new URL(request.url).searchParams), 'the query'),
    caller: c.get('caller'),
    request,
    requestId: c.get('requestId'),
    signal: request.signal,
    header: (name: string) => c.req.header(name),
    setHeader: (name: string, value: string) => headers.push([name, value]),
    async json() {
      if (!body?.json) throw new Error('this route takes no JSON');
      return validate(body.json, await jsonBody());
    },
    jsonBody,
  };
}

async function callerOf(
  request: Request,
  authenticate: MountOptions['authenticate'],
): Promise<Caller> {
  const header = request.headers.get('authorization') ?? '';
  const [, bearer] = /^bearer +(\S+)$/i.exec(header.trim()) ?? [];
  const secret = bearer ?? customAttributes(request.headers).key;
  if (secret === undefined) {
    const message = 'no API key: send the header "Authorization: Bearer <key>"';
    throw ApiError.unauthorized('auth.missing_key', message);
  }
  const caller = await authenticate(secret);
  if (caller) return caller;
  const message = 'the API key is unknown, expired or revoked';
  throw ApiError.unauthorized('auth.invalid_key', message);
}

function checkScope({ keyId, scopes }: Caller, needed: Exclude<Route['scope'], 'public'>): void {
  if (scopeAllows(scopes, needed)) return;
  const held = scopes.join(', ');
  throw ApiError.forbidden(
    'auth.scope',
    `the key "${keyId}" has the scope ${held}; this needs ${needed}: use a key that has it`,
  );
}

function respond(c: Context<Env>, error: ApiError): Response {
  const family = c.get('family') ?? familyOf(c.req.path);
  const { status, headers, body } = renderError(error, family);
  return c.json(body, status, headers);
}

/** Where no route matched. */
function familyOf(path: string): ErrorFamily {
  return path.startsWith('/models/') ? 'huggingface' : 'openai';
}
