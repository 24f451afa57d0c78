import { HuggingFaceError } from '@polyprompt/contract';
import { expect, it } from 'vitest';
import { testService } from './testing/test-service.ts';

it('answers 504 when the time is over, and loses nothing by it', async () => {
  const { engine, ask, key, publish, call } = await testService({
    engine: { limits: { deadlineMs: 1 } },
  });
  await engine.ready();
  const secret = await key('acme', 'infer');
  await publish('acme', 'topics', { seed: 1 });
  const wanted = { status: 504, schema: HuggingFaceError };
  const body = { inputs: Array(100).fill('the rain is a snow') };
  const { error } = await ask(wanted, secret, 'POST', '/models/topics', body);
  expect(error).toContain('within 1 ms');
  expect((await call(secret, 'GET', '/v1/models')).status).toBe(200);
});
