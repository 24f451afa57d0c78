import { describe, expect, it } from 'vitest';
import { createGate } from './gate.ts';

const request = (path: string) => new Request(`http://localhost${path}`);
const app = { fetch: (got: Request) => new Response(`asked ${new URL(got.url).pathname}`) };
const ask = async (gate: ReturnType<typeof createGate>, path: string) => {
  const response = await gate.fetch(request(path));
  expect(path === '/models/x' || response.headers.get('x-request-id')).toBeTruthy();
  return { status: response.status, text: await response.text() };
};

describe('while the service starts', () => {
  it('tells hosts that it lives and is not ready', async () => {
    const gate = createGate({ version: '1.2.3', waitMs: 10_000 });
    expect(await ask(gate, '/health')).toEqual({
      status: 200,
      text: '{"status":"ok","version":"1.2.3"}',
    });
    for (const path of ['/ping', '/ready']) {
      const { status, text } = await ask(gate, path);
      expect([status, JSON.parse(text).error.code]).toEqual([503, 'not_ready']);
    }
  });

  it('keeps other requests until it has started', async () => {
    const gate = createGate({ version: '1', waitMs: 10_000 });
    const waiting = [gate.fetch(request('/models/x')), gate.fetch(request('/v1/files'))];
    gate.open(app);
    const texts = await Promise.all(waiting.map(async (each) => (await each).text()));
    expect(texts).toEqual(['asked /models/x', 'asked /v1/files']);
    expect((await ask(gate, '/models/x')).text).toBe('asked /models/x');
  });

  it('refuses those that waited too long, in the words of their clients', async () => {
    const gate = createGate({ version: '1', waitMs: 1 });
    const message = 'the service is still starting after 1 ms; try again';
    const inference = await gate.fetch(request('/invocations'));
    expect([inference.status, await inference.json()]).toEqual([504, { error: message }]);
    const files = await gate.fetch(request('/v1/files'));
    expect([files.status, await files.json()]).toMatchObject([504, { error: { message } }]);
  });
});
