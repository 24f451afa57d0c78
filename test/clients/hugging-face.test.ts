/** The unmodified `@huggingface/inference` client; tagging and question answering join with their tasks. */
import { InferenceClientProviderApiError } from '@huggingface/inference';
import { describe, expect, it } from 'vitest';
import { startServer } from './setup.ts';

const limits = { pendingInputs: 128, tenantInputs: 128 };
const server = await startServer({ engine: { limits } });
const { key, publish, huggingFace, sent, checkedFetch, url, registry } = server;
const secret = await key('acme', 'infer');
await publish('acme', 'topics', { seed: 1 });
await publish('acme', 'topics', { seed: 2, activate: 'staging' });
await publish('acme', 'nli', { seed: 4, labels: ['entailment', 'neutral', 'contradiction'] });

const topics = huggingFace(secret, 'topics');

/** What the client throws, and how many requests that took. */
async function failure(call: () => Promise<unknown>) {
  const before = sent.length;
  const error = await call().catch((thrown) => thrown);
  expect(error).toBeInstanceOf(InferenceClientProviderApiError);
  const { httpResponse, message } = error as InferenceClientProviderApiError;
  return {
    status: httpResponse.status,
    requestId: httpResponse.requestId,
    message,
    requests: sent.length - before,
  };
}

describe('text classification', () => {
  it('gives labels with scores, best first', async () => {
    const labels = await topics.textClassification({ inputs: 'the rain is cold' });
    expect(labels.map(({ label }) => label).sort()).toEqual(['food', 'music', 'weather']);
    expect(labels.map(({ score }) => score)).toEqual(
      labels.map(({ score }) => score).sort((a, b) => b - a),
    );
  });

  it('takes parameters', async () => {
    const best = await topics.textClassification({ inputs: 'the rain', parameters: { top_k: 1 } });
    expect(best).toHaveLength(1);
    const parameters = { function_to_apply: 'none' as const };
    const logits = await topics.textClassification({ inputs: 'the rain', parameters });
    expect(logits.reduce((sum, { score }) => sum + score, 0)).not.toBeCloseTo(1);
  });

  it('answers arrays row by row over plain HTTP; the client itself reads the first', async () => {
    const response = await checkedFetch(`${url}/models/topics`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}` },
      body: JSON.stringify({ inputs: ['the rain', 'the soup'] }),
    });
    const rows = (await response.json()) as unknown[];
    expect(rows).toHaveLength(2);
    const inputs = ['the rain', 'the soup'] as unknown as string;
    expect(await topics.textClassification({ inputs })).toEqual(rows[0]);
  });

  it.each(['topics@staging', 'topics@2', 'acme/topics@2', 'ft:tiny:acme:topics:2'])(
    'finds version 2 as %s',
    async (reference) => {
      const inputs = 'the rain';
      const two = await huggingFace(secret, reference).textClassification({ inputs });
      expect(two).not.toEqual(await topics.textClassification({ inputs }));
      const endpointUrl = `${url}/models/topics@staging`;
      expect(await topics.textClassification({ inputs, endpointUrl })).toEqual(two);
    },
  );
});

describe('zero-shot classification', () => {
  it('works with a prompt of text pairs', async () => {
    const labels = await huggingFace(secret, 'nli').zeroShotClassification({
      inputs: 'the rain is cold',
      parameters: { candidate_labels: ['weather', 'food'] },
    });
    expect(labels.map(({ label }) => label).sort()).toEqual(['food', 'weather']);
    expect(labels[0]!.score).toBeGreaterThanOrEqual(labels[1]!.score);
  });
});

describe('errors', () => {
  it('are thrown once, with a message to read and the request id', async () => {
    const unknown = await failure(() =>
      huggingFace(secret, 'none').textClassification({ inputs: 'x' }),
    );
    expect(unknown).toMatchObject({ status: 404, requests: 1 });
    expect(unknown.message).toContain('no prompt "none"');
    expect(unknown.requestId).toMatch(/^req-/);
    const cases: [number, RegExp, () => Promise<unknown>][] = [
      [
        401,
        /unknown, expired or revoked/,
        () => huggingFace('pp_x', 'topics').textClassification({ inputs: 'x' }),
      ],
      [
        404,
        /no alias "none"|"none"/,
        () => huggingFace(secret, 'topics@none').textClassification({ inputs: 'x' }),
      ],
      [
        404,
        /no version 9|9/,
        () => huggingFace(secret, 'topics@9').textClassification({ inputs: 'x' }),
      ],
      [
        422,
        /no prompt name/,
        () => huggingFace(secret, 'Topics').textClassification({ inputs: 'x' }),
      ],
      [422, /inputs: must not be empty/, () => topics.textClassification({ inputs: '' })],
      [
        422,
        /tokens, the limit is/,
        () => topics.textClassification({ inputs: 'rain '.repeat(300) }),
      ],
      [
        400,
        /does text-classification/,
        () => topics.questionAnswering({ inputs: { question: 'who?', context: 'me' } }),
      ],
    ];
    for (const [status, message, call] of cases) {
      expect(await failure(call)).toMatchObject({
        status,
        requests: 1,
        message: expect.stringMatching(message),
      });
    }
  });

  it('say 429 at once under overload, and the client does not come back for more', async () => {
    const inputs = Array(128).fill('the rain is a snow') as unknown as string;
    const calls = [1, 2, 3].map(() => topics.textClassification({ inputs }));
    const before = sent.length;
    const results = await Promise.allSettled(calls);
    const refused = results.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThanOrEqual(1);
    for (const { reason } of refused as PromiseRejectedResult[]) {
      expect(reason.httpResponse.status).toBe(429);
      expect(reason.message).toContain('try again');
    }
    expect(sent.length - before).toBe(3);
  });

  it('never say 503, whatever the reason', () => {
    expect(sent.filter(({ status }) => status === 503)).toEqual([]);
  });
});

it('counts what was asked', async () => {
  await registry.usage.flush();
  const { items } = await registry.usage.query('acme', { limit: 10, prompt: 'topics' });
  expect(items[0]!.requests).toBeGreaterThan(5);
});
