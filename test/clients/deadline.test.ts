import { expect, it } from 'vitest';
import { startServer } from './setup.ts';

it('says 504 when the time is over, which the Hugging Face client throws once', async () => {
  const { engine, key, publish, huggingFace, sent } = await startServer({
    engine: { limits: { deadlineMs: 1 } },
  });
  await engine.ready();
  const client = huggingFace(await key('acme', 'infer'), 'topics');
  await publish('acme', 'topics', { seed: 1 });
  const inputs = Array(100).fill('the rain is a snow') as unknown as string;
  const error = await client.textClassification({ inputs }).catch((thrown) => thrown);
  expect(error.httpResponse.status).toBe(504);
  expect(error.message).toContain('no answer within 1 ms');
  expect(sent).toHaveLength(1);
});
