import {
  eachRoute,
  errorsOf,
  HuggingFaceError,
  OpenAiError,
  openApiDocument,
} from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { honoPath } from './mount.ts';
import { pausedBody } from './testing/paused-body.ts';
import { testService } from './testing/test-service.ts';

const { app, key, call, ask, log, engine } = await testService();
const admin = await key('acme', 'admin');

describe('the application', () => {
  it('mounts every route of the contract, and nothing else', () => {
    const wanted = eachRoute().map(([, { method, path }]) => `${method} ${honoPath(path)}`);
    const mounted = app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`);
    expect(mounted.sort()).toEqual(wanted.sort());
    // What is left is the middleware that sees every request.
    expect(app.routes.filter(({ method }) => method === 'ALL')).toHaveLength(1);
  });

  it('answers unknown routes in the words of the family', async () => {
    const wanted = { status: 404, schema: OpenAiError };
    expect((await ask(wanted, admin, 'POST', '/v1/file')).error).toMatchObject({
      message: 'no route POST /v1/file; GET /openapi.json lists all',
      code: 'route.not_found',
    });
    const other = { status: 404, schema: HuggingFaceError };
    expect(await ask(other, admin, 'GET', '/models/topics')).toEqual({
      error: 'no route GET /models/topics; this path takes POST',
    });
  });

  it('gives every answer a request id, the one of the caller if it can be logged', async () => {
    const own = await app.request('/health', { headers: { 'x-request-id': 'abc-1' } });
    expect(own.headers.get('x-request-id')).toBe('abc-1');
    const odd = await app.request('/nowhere', { headers: { 'x-request-id': 'a b"c' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^req-[0-9a-f]{24}$/);
  });

  it('holds no more bodies in memory than it has room for, and no tenant all of them', async () => {
    const limits = { checkBytes: 1000, heldBytes: 4000 };
    const small = await testService({ deps: { limits } });
    const [mine, other] = [await small.key('acme', 'infer'), await small.key('other', 'infer')];
    const whole = Buffer.from(JSON.stringify({ inputs: ['x'.repeat(1200)], model: 'none' }));
    const ask = (by: string, body: Buffer | ReadableStream) => {
      const headers = { authorization: `Bearer ${by}`, 'content-type': 'application/json' };
      const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
      return small.app.request('/', init);
    };
    const paused = pausedBody(whole, 1000);
    const slow = ask(mine, paused.stream);
    await paused.taken;
    const refused = await ask(mine, whole);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).not.toBeNull();
    // There is no such prompt, which is said when the body has been read.
    expect((await ask(other, whole)).status).toBe(404);
    paused.goOn();
    expect((await slow).status).toBe(404);
    expect((await ask(mine, whole)).status).toBe(404);
  });

  it('asks for a key on every route that has a scope, and for that scope', async () => {
    const infer = await key('acme', 'infer');
    for (const [operation, { method, path, scope }] of eachRoute()) {
      if (scope === 'public') continue;
      const url = path.replaceAll(/\{\w+\}/g, 'x');
      const without = await app.request(url, { method });
      expect([operation, without.status]).toEqual([operation, 401]);
      expect(without.headers.get('www-authenticate')).toBe('Bearer');
      const unknown = await call('pp_wrong', method, url);
      expect([operation, unknown.status]).toEqual([operation, 401]);
      const weak = await call(infer, method, url);
      expect([operation, weak.status === 403]).toEqual([operation, scope !== 'infer']);
      expect(errorsOf(eachRoute().find(([id]) => id === operation)![1])).toContain('auth.scope');
    }
  });

  it('logs what happened, without secrets and texts', async () => {
    log.length = 0;
    const secretText = 'a very private text';
    await call(admin, 'POST', '/models/nothing', { inputs: secretText });
    await call(admin, 'POST', '/v1/keys', `{"name": ${secretText}`);
    const lines = log.map((line) => JSON.parse(line));
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({
      operation: 'infer',
      status: 404,
      tenant: 'acme',
      code: 'prompt.not_found',
    });
    expect(lines[1]).toMatchObject({ operation: 'createKey', code: 'invalid_json' });
    expect(log.join()).not.toContain(secretText);
    expect(log.join()).not.toContain(admin);
  });
});

describe('the system routes', () => {
  it('tell health, readiness, metrics and the document', async () => {
    await engine.ready();
    expect(await (await app.request('/health')).json()).toEqual({ status: 'ok', version: '0.0.0' });
    const ready = await app.request('/ready');
    expect(await ready.json()).toMatchObject({ status: 'ready', backbone: { id: 'tiny' } });
    const document = await (await app.request('/openapi.json')).json();
    expect(document).toEqual(openApiDocument('0.0.0'));
    const docs = await app.request('/docs');
    expect(docs.headers.get('content-type')).toContain('text/html');
    expect(docs.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it('count requests without naming tenants or prompts', async () => {
    await call(admin, 'POST', '/models/some-name', { inputs: 'x' });
    const metrics = await (await app.request('/metrics')).text();
    expect(metrics).toMatch(
      /polyprompt_http_requests_total\{operation="infer",status="404"\} [1-9]/,
    );
    expect(metrics).toContain('polyprompt_engine_ready 1');
    expect(metrics).toContain('# TYPE polyprompt_engine_cache_hits_total counter');
    expect(metrics).not.toMatch(/acme|some-name/);
  });

  it('answers HEAD like GET, without a body', async () => {
    const head = await app.request('/health', { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
  });
});
