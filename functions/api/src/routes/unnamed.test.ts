/** The routes that hosts of models ask, which name no prompt in their path. */
import { Info, Ready, TextClassificationResponse } from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { testService } from '../testing/test-service.ts';

const service = await testService({ deps: { defaultPrompt: 'usual' } });
const { app, ask, call, backbone } = service;
const secret = await service.key('acme', 'infer');
await service.publish('acme', 'usual', { seed: 1, labels: ['u'] });
await service.publish('acme', 'other', { seed: 2, labels: ['o'] });
const bare = await testService();
const bareKey = await bare.key('acme', 'infer');

const labels = async (path: string, body: object, headers: Record<string, string> = {}) => {
  const wanted = { schema: TextClassificationResponse };
  const rows = await ask(wanted, secret, 'POST', path, body, headers);
  return rows.map(([best]) => best!.label);
};
const attributes = (value: string) => ({ 'X-Amzn-SageMaker-Custom-Attributes': value });

describe.each(['/invocations', '/predict', '/'])('POST %s', (path) => {
  it('asks the prompt of the header, else of the body, else of the settings', async () => {
    const inputs = 'the rain';
    expect(await labels(path, { inputs })).toEqual(['u']);
    expect(await labels(path, { inputs, model: 'other@production' })).toEqual(['o']);
    expect(await labels(path, { inputs, model: 'other' }, attributes('prompt=usual'))).toEqual([
      'u',
    ]);
  });

  it('takes the key from where SageMaker lets it pass', async () => {
    const send = (value: string) =>
      app.request(path, { method: 'POST', headers: attributes(value), body: '{"inputs":"a"}' });
    expect((await send(`c000b4f9, key=${secret}`)).status).toBe(200);
    expect((await send('key=pp_wrong')).status).toBe(401);
    expect((await send('prompt=usual')).status).toBe(401);
  });

  it('says how to name a prompt where none is', async () => {
    const none = await bare.call(bareKey, 'POST', path, { inputs: 'a' });
    expect(none.status).toBe(400);
    expect((await none.json()) as object).toEqual({
      error: expect.stringMatching(/no prompt is named: send "model".*\/models\/<reference>/),
    });
    const number = await call(secret, 'POST', path, { inputs: 'a', model: 7 });
    expect(number.status).toBe(400);
    const unknown = await call(secret, 'POST', path, { inputs: 'a', model: 'nothing' });
    expect(unknown.status).toBe(404);
  });
});

describe('a container host', () => {
  it('is told when requests may come', async () => {
    const schema = Ready;
    expect(await ask({ schema }, '', 'GET', '/ping')).toMatchObject({ status: 'ready' });
    const starting = await testService({
      deps: { engine: { infer: service.engine.infer, stats: () => notReady } },
    });
    expect((await starting.call('', 'GET', '/ping')).status).toBe(503);
  });

  it('is told what is served', async () => {
    expect(await ask({ schema: Info }, '', 'GET', '/info')).toEqual({
      model_id: backbone.id,
      model_sha: backbone.fingerprint,
      model_dtype: 'float32',
      device: 'cpu',
      max_client_batch_size: 128,
      version: '0.0.0',
    });
  });
});

const notReady = { ...service.engine.stats(), runtime: null };
