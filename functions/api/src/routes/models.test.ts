import {
  HuggingFaceError,
  TextClassificationResponse,
  ZeroShotResponse,
} from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { testService } from '../testing/test-service.ts';

const service = await testService({
  engine: { limits: { pendingInputs: 200, tenantInputs: 200 } },
});
const { key, publish, call, ask, registry, app } = service;
const secret = await key('acme', 'infer');
await publish('acme', 'topics', { seed: 1 });
await publish('acme', 'topics', { seed: 2 });
await publish('acme', 'topics', { seed: 3, activate: 'staging' });
await publish('acme', 'nli', { seed: 4, labels: ['entailment', 'neutral', 'contradiction'] });
await publish('other', 'private', { seed: 5 });

const rows = { schema: TextClassificationResponse };
const infer = (model: string, body: object, headers?: Record<string, string>) =>
  call(secret, 'POST', `/models/${model}`, body, headers);
const answer = (model: string, body: object) => ask(rows, secret, 'POST', `/models/${model}`, body);
const refused = async (status: number, model: string, body: object | string) =>
  (await ask({ status, schema: HuggingFaceError }, secret, 'POST', `/models/${model}`, body)).error;

describe('text classification', () => {
  it('answers a text, texts and pairs with a row each, best label first', async () => {
    const [row, ...others] = await answer('topics', { inputs: 'the rain' });
    expect(others).toEqual([]);
    expect(row!.map(({ label }) => label).sort()).toEqual(['food', 'music', 'weather']);
    expect(row!.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    expect(row![0]!.score).toBeGreaterThanOrEqual(row![1]!.score);
    const pair = { text: 'rain', text_pair: 'snow' };
    expect(await answer('topics', { inputs: ['the rain', pair] })).toHaveLength(2);
    expect((await answer('topics', { inputs: ['the rain', 'snow'] }))[0]).toEqual(row);
  });

  it('takes its parameters, absent and null alike', async () => {
    const parameters = { top_k: 1, function_to_apply: 'none' };
    const [row] = await answer('topics', { inputs: 'the rain', parameters });
    expect(row).toHaveLength(1);
    expect(row![0]!.score).not.toBeLessThan(-100);
    const nulls = { top_k: null, function_to_apply: null, truncate: null };
    const same = await answer('topics', { inputs: 'the rain', parameters: nulls });
    expect(same).toEqual(await answer('topics', { inputs: 'the rain' }));
  });

  it('understands every way to name a version', async () => {
    const versionOf = async (model: string) =>
      (await infer(model, { inputs: 'rain' })).headers.get('x-prompt-version');
    const id = (version: number) => `ft:tiny:acme:topics:${version}`;
    expect(await versionOf('topics')).toBe(id(1));
    expect(await versionOf('topics@production')).toBe(id(1));
    expect(await versionOf('topics@staging')).toBe(id(3));
    expect(await versionOf('topics@2')).toBe(id(2));
    expect(await versionOf('acme/topics@2')).toBe(id(2));
    expect(await versionOf('acme%2Ftopics@2')).toBe(id(2));
    expect(await versionOf(id(2))).toBe(id(2));
  });

  it('says what it computed, and counts it', async () => {
    const before = await registry.usage.query('acme', { limit: 10 });
    const { headers } = await infer('topics', { inputs: ['rain', 'snow'] });
    expect(Number(headers.get('x-compute-tokens'))).toBeGreaterThan(4);
    expect(Number(headers.get('x-compute-time'))).toBeGreaterThan(0);
    expect(Number(headers.get('x-queue-time'))).toBeGreaterThanOrEqual(0);
    expect(headers.get('x-truncated')).toBeNull();
    await registry.usage.flush();
    const { items } = await registry.usage.query('acme', { limit: 10, prompt: 'topics' });
    const old = before.items.find(({ prompt }) => prompt === 'topics');
    expect(items[0]!.requests).toBe((old?.requests ?? 0) + 1);
    expect(items[0]!.tokens - (old?.tokens ?? 0)).toBe(Number(headers.get('x-compute-tokens')));
  });

  it('cuts a long text only when asked to, and says so', async () => {
    const long = 'rain '.repeat(200);
    expect(await refused(422, 'topics', { inputs: ['snow', long] })).toMatch(
      /inputs\[1\] has \d+ tokens, the limit is \d+; .*"truncate": true/,
    );
    expect(await refused(422, 'topics', { inputs: long })).toMatch(/^inputs has/);
    for (const body of [{ truncate: true }, { parameters: { truncate: true } }]) {
      const cut = await infer('topics', { inputs: ['snow', long], ...body });
      expect(cut.status).toBe(200);
      expect(cut.headers.get('x-truncated')).toBe('1');
    }
  });

  it('keeps a caller on one side of a split', async () => {
    const split = [1, 2].map((version) => ({ version, weight: 50 }));
    await registry.prompts.setAlias('acme', 'topics', 'canary', { split }, { actor: 'test' });
    const sides = new Map<string, Set<string>>();
    for (let i = 0; i < 40; i++) {
      const splitKey = `user-${i % 20}`;
      const { headers } = await infer(
        'topics@canary',
        { inputs: 'rain' },
        { 'x-split-key': splitKey },
      );
      const seen = sides.get(splitKey) ?? new Set();
      sides.set(splitKey, seen.add(headers.get('x-prompt-version')!));
    }
    const all = [...sides.values()].map((seen) => [...seen]);
    expect(all.every((seen) => seen.length === 1)).toBe(true);
    expect(new Set(all.flat())).toEqual(
      new Set(['ft:tiny:acme:topics:1', 'ft:tiny:acme:topics:2']),
    );
  });

  it('answers from the new version as soon as an alias has moved', async () => {
    await registry.prompts.setAlias('acme', 'topics', 'hot', { version: 1 }, { actor: 'test' });
    const one = await answer('topics@hot', { inputs: 'rain' });
    await registry.prompts.setAlias('acme', 'topics', 'hot', { version: 2 }, { actor: 'test' });
    const two = await answer('topics@hot', { inputs: 'rain' });
    expect(two).toEqual(await answer('topics@2', { inputs: 'rain' }));
    expect(two).not.toEqual(one);
  });
});

describe('zero-shot classification', () => {
  it('asks a prompt of text pairs once per candidate label', async () => {
    const parameters = { candidate_labels: ['food', 'snow', 'rain'] };
    const body = { inputs: 'the rain', parameters };
    const zeroShot = { schema: ZeroShotResponse };
    const scores = await ask(zeroShot, secret, 'POST', '/models/nli', body);
    const list = scores as { label: string; score: number }[];
    expect(list.map(({ label }) => label).sort()).toEqual(['food', 'rain', 'snow']);
    expect(list.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    const multi = { inputs: 'the rain', parameters: { ...parameters, multi_label: true } };
    const free = await ask(zeroShot, secret, 'POST', '/models/nli', multi);
    for (const { score } of free as { score: number }[]) {
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThan(1);
    }
    expect(await refused(400, 'topics', body)).toContain('"entailment"');
  });

  it('refuses hypotheses that templates and labels blow up', async () => {
    const parameters = {
      candidate_labels: ['snow', 'x'.repeat(900_000)],
      hypothesis_template: '{}'.repeat(100_000),
    };
    expect(await refused(422, 'nli', { inputs: 'the rain', parameters })).toBe(
      'parameters: the hypothesis of candidate_labels[0] has 400000 characters, the limit is 100000; shorten the label or hypothesis_template',
    );
  });

  it('does not advise what it cannot do with a long text', async () => {
    const parameters = { candidate_labels: ['food'] };
    const body = { inputs: 'rain '.repeat(200), parameters, truncate: true };
    expect(await refused(422, 'nli', body)).toMatch(
      /^inputs has \d+ tokens, the limit is \d+; shorten it$/,
    );
  });
});

describe('what is refused', () => {
  it.each<[number, string, object | string, RegExp]>([
    [404, 'nothing', { inputs: 'x' }, /"nothing"/],
    [404, 'topics@none', { inputs: 'x' }, /"none"/],
    [404, 'topics@99', { inputs: 'x' }, /99/],
    [404, 'other/private', { inputs: 'x' }, /no prompt "other\/private"/],
    [404, 'ft:tiny:other:private:1', { inputs: 'x' }, /no prompt/],
    [404, 'ft:large:acme:topics:1', { inputs: 'x' }, /no prompt/],
    [404, 'tiny', { inputs: 'x' }, /no prompt "tiny"/],
    [422, 'Topics', { inputs: 'x' }, /lower-case/],
    [422, '..%2f..%2fetc%2fpasswd', { inputs: 'x' }, /"\.\."/],
    [422, 'topics@0', { inputs: 'x' }, /no version/],
    [422, 'ft:a:b', { inputs: 'x' }, /5 parts/],
    [422, `x${'y'.repeat(300)}`, { inputs: 'x' }, /at most 300 characters/],
    [400, 'topics', '{"inputs": ', /not JSON/],
    [400, 'topics', '', /not JSON/],
    [400, 'topics', '[]', /expected object/],
    [400, 'topics', {}, /inputs: expected string or object or array, received nothing/],
    [400, 'topics', { inputs: 7 }, /inputs: expected .*, received 7/],
    [400, 'topics', { inputs: ['x', null] }, /inputs\[1\]/],
    [400, 'topics', { inputs: 'x', parameters: { top_k: 'three' } }, /top_k: expected number/],
    [422, 'topics', { inputs: 'x', parameters: { top_k: 0 } }, /top_k: expected at least 1/],
    [422, 'topics', { inputs: '' }, /inputs: must not be empty/],
    [422, 'topics', { inputs: ['x', ''] }, /inputs\[1\]: must not be empty/],
    [422, 'topics', { inputs: [] }, /inputs: expected at least 1 item,/],
    [422, 'topics', { inputs: Array(1000).fill('x') }, /inputs: expected at most 128 items/],
    [422, 'topics', { inputs: 'x'.repeat(100_001) }, /at most 100000 characters/],
    [400, 'topics', { inputs: { question: 'x', context: 'y' } }, /does text-classification/],
    [413, 'topics', { inputs: 'x'.repeat(3_000_000) }, /the limit is 2097152/],
  ])('%i %s %j', async (status, model, body, message) => {
    expect(await refused(status, model, body)).toMatch(message);
  });

  it('a body over the limit, also when its length is not announced', async () => {
    const piece = Buffer.alloc(100_000, 'x');
    let pulled = 0;
    const body = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(piece);
      },
    });
    const headers = { authorization: `Bearer ${secret}` };
    const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
    const response = await app.request('/models/topics', init);
    expect(response.status).toBe(413);
    expect(pulled).toBeLessThan(30);
  });

  it('a prompt for another backbone', async () => {
    await publish('acme', 'foreign', { seed: 1, backboneName: 'large' });
    expect(await refused(404, 'foreign', { inputs: 'x' })).toMatch(
      /trained on the backbone "large"; this service has tiny/,
    );
  });

  it('a prompt that the backbone cannot run, which no repeating mends', async () => {
    await publish('acme', 'long', { seed: 1, length: 62 });
    expect(await refused(404, 'long', { inputs: 'x' })).toMatch(
      /^prompt "acme\/long\/1\/.*cannot be served: .*62 positions does not fit/,
    );
  });

  it('more than may wait, at once and with a time to come back', async () => {
    const bodies = Array.from({ length: 3 }, () => ({ inputs: Array(100).fill('the rain') }));
    const answers = await Promise.all(bodies.map((body) => infer('topics', body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 429]);
    const refusal = answers.find(({ status }) => status === 429)!;
    expect(Number(refusal.headers.get('retry-after-ms'))).toBeGreaterThan(0);
  });
});

it('gives a request up when its client leaves', async () => {
  const leaving = new AbortController();
  const headers = { authorization: `Bearer ${secret}` };
  const body = JSON.stringify({ inputs: Array(100).fill('the rain is a snow') });
  const init = { method: 'POST', headers, body, signal: leaving.signal };
  const response = app.request(new Request('http://localhost/models/topics', init));
  leaving.abort();
  expect((await response).status).toBe(499);
  expect(service.log.at(-1)).not.toContain('"level":50');
});
