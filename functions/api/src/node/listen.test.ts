import { Agent, get, type IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { listen } from './listen.ts';

it('asks clients to leave with the answers that it still gives, so that none comes back on a closed connection', async () => {
  const begun = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  const fetch = (request: Request) => {
    if (new URL(request.url).pathname === '/early') return Response.json({});
    begun.resolve();
    return answer.promise;
  };
  const server = await listen({ fetch }, '127.0.0.1', 0);
  const agent = new Agent({ keepAlive: true });
  const ask = (path: string) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const request = get({ host: '127.0.0.1', port: server.port, path, agent }, resolve);
      request.on('error', reject);
    });
  const early = await ask('/early');
  early.resume();
  expect(early.headers.connection).toBe('keep-alive');
  const late = ask('/late');
  await begun.promise;
  const closed = server.close(10_000);
  answer.resolve(Response.json({}));
  expect((await late).headers.connection).toBe('close');
  (await late).resume();
  await closed;
  agent.destroy();
});
