import {
  Alias,
  CardObject,
  HistoryList,
  Model,
  ModelList,
  OpenAiError,
  PromptList,
  PromptObject,
  PromptVersion,
  PromptVersionList,
} from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { packTar, unpackTar } from '../http/tar.ts';
import { testService } from '../testing/test-service.ts';

const { app, key, call, ask, publish } = await testService();
const secret = await key('acme', 'tune');
for (const seed of [1, 2, 3]) await publish('acme', 'topics', { seed });

const get = <T>(schema: { parse(value: unknown): T }, path: string) =>
  call(secret, 'GET', path).then(async (response) => schema.parse(await response.json()));
const fail = async (
  status: number,
  method: string,
  path: string,
  body?: object,
  headers?: Record<string, string>,
) => (await ask({ status, schema: OpenAiError }, secret, method, path, body, headers)).error;
const move = (alias: string, target: object, headers?: Record<string, string>) =>
  call(secret, 'PUT', `/v1/prompts/topics/aliases/${alias}`, target, headers);

describe('prompts', () => {
  it('are listed and shown with their aliases', async () => {
    await publish('acme', 'another', { seed: 4 });
    const { data, has_more } = await get(PromptList, '/v1/prompts?limit=1');
    expect(data[0]!.id).toBe('another');
    expect(has_more).toBe(true);
    const rest = await get(PromptList, '/v1/prompts?after=another');
    expect(rest.data.map(({ id }) => id)).toEqual(['topics']);
    const topics = await get(PromptObject, '/v1/prompts/topics');
    expect(topics).toMatchObject({ latest_version: 3, aliases: { production: { version: 1 } } });
  });

  it('have versions with cards', async () => {
    const page = await get(PromptVersionList, '/v1/prompts/topics/versions?limit=2');
    expect(page.data.map(({ version }) => version)).toEqual([3, 2]);
    const next = `/v1/prompts/topics/versions?after=${page.last_id}`;
    const rest = await get(PromptVersionList, next);
    expect(rest.data.map(({ version }) => version)).toEqual([1]);
    const version = await get(PromptVersion, '/v1/prompts/topics/versions/1');
    expect(version).toMatchObject({
      id: 'ft:tiny:acme:topics:1',
      task: 'text-classification',
      labels: ['food', 'weather', 'music'],
      method: 'prefix',
      length: 4,
      aliases: ['production'],
      job: null,
    });
    const card = await get(CardObject, '/v1/prompts/topics/versions/1/card');
    expect(card.prompt.hash).toBe(version.hash);
  });

  it('that are unknown, or have odd names, are refused', async () => {
    expect(await fail(404, 'GET', '/v1/prompts/none')).toMatchObject({ code: 'prompt.not_found' });
    expect(await fail(404, 'GET', '/v1/prompts/topics/versions/9')).toMatchObject({
      code: 'version.not_found',
    });
    for (const name of ['..%2Fother', 'A', '.hidden', 'x%00']) {
      expect(await fail(422, 'GET', `/v1/prompts/${name}`)).toMatchObject({ param: 'name' });
    }
    expect(await fail(422, 'GET', '/v1/prompts/topics/versions/0')).toMatchObject({
      param: 'version',
    });
  });
});

describe('aliases', () => {
  it('move, and back', async () => {
    const moved = Alias.parse(await (await move('production', { version: 2 })).json());
    expect(moved.target).toEqual({ version: 2 });
    await move('production', { version: 3 });
    const path = '/v1/prompts/topics/rollback';
    const back = await ask({ schema: Alias }, secret, 'POST', path);
    expect(back).toMatchObject({ alias: 'production', target: { version: 2 } });
    const named = await ask({ schema: Alias }, secret, 'POST', path, { alias: 'production' });
    expect(named.target).toEqual({ version: 1 });
    const history = await get(HistoryList, '/v1/prompts/topics/history?limit=2');
    expect(history.data.map(({ action }) => action)).toEqual(['rollback', 'rollback']);
    expect(history.data[0]).toMatchObject({ from: { version: 2 }, to: { version: 1 } });
    const more = `/v1/prompts/topics/history?limit=1&after=${history.last_id}`;
    expect((await get(HistoryList, more)).data[0]).toMatchObject({ action: 'move_alias' });
  });

  it('split traffic', async () => {
    const split = [
      { version: 1, weight: 90 },
      { version: 2, weight: 10 },
    ];
    expect((await move('canary', { split })).status).toBe(200);
    const topics = await get(PromptObject, '/v1/prompts/topics');
    expect(topics.aliases.canary).toEqual({ split });
    const uneven = { split: [split[0], { version: 2, weight: 20 }] };
    expect(await fail(422, 'PUT', '/v1/prompts/topics/aliases/canary', uneven)).toMatchObject({
      param: 'split',
    });
  });

  it('move only from where they were read, if asked to', async () => {
    const before = await call(secret, 'GET', '/v1/prompts/topics');
    const etag = before.headers.get('etag')!;
    const first = await move('staging', { version: 1 }, { 'if-match': etag });
    expect(first.status).toBe(200);
    expect(first.headers.get('etag')).not.toBe(etag);
    const path = '/v1/prompts/topics/aliases/staging';
    expect(await fail(409, 'PUT', path, { version: 2 }, { 'if-match': etag })).toMatchObject({
      code: 'alias.conflict',
      param: 'If-Match',
    });
    expect(await fail(409, 'DELETE', path, undefined, { 'if-match': etag })).toMatchObject({
      code: 'alias.conflict',
    });
    expect(await fail(422, 'DELETE', path, undefined, { 'if-match': 'x' })).toMatchObject({
      param: 'If-Match',
    });
    expect((await call(secret, 'DELETE', path)).status).toBe(200);
    expect(await fail(404, 'DELETE', path)).toMatchObject({ code: 'alias.not_found' });
  });

  it('point to what exists', async () => {
    const path = '/v1/prompts/topics/aliases/production';
    expect(await fail(404, 'PUT', path, { version: 99 })).toMatchObject({
      code: 'version.not_found',
    });
    expect(await fail(404, 'PUT', '/v1/prompts/none/aliases/x', { version: 1 })).toMatchObject({
      code: 'prompt.not_found',
    });
    expect(await fail(422, 'PUT', '/v1/prompts/topics/aliases/7', { version: 1 })).toMatchObject({
      param: 'alias',
    });
    expect((await fail(400, 'PUT', path, { version: '1' })).code).toBe('invalid_request');
  });
});

describe('deletion', () => {
  it('goes around what an alias points to', async () => {
    await publish('acme', 'brief', { seed: 1 });
    await publish('acme', 'brief', { seed: 2 });
    const path = '/v1/prompts/brief';
    expect(await fail(409, 'DELETE', `${path}/versions/1`)).toMatchObject({
      code: 'prompt.in_use',
    });
    expect(await fail(409, 'DELETE', path)).toMatchObject({ code: 'prompt.in_use' });
    const gone = await call(secret, 'DELETE', `${path}/versions/2`);
    expect(await gone.json()).toMatchObject({ id: 'ft:tiny:acme:brief:2', deleted: true });
    expect((await call(secret, 'GET', `${path}/versions/2`)).status).toBe(404);
    await call(secret, 'DELETE', `${path}/aliases/production`);
    expect((await call(secret, 'DELETE', path)).status).toBe(200);
    expect((await call(secret, 'GET', path)).status).toBe(404);
  });
});

describe('archives', () => {
  const send = (archive: Uint8Array, query = '') =>
    app.request(`/v1/prompts/import${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/x-tar' },
      body: Buffer.from(archive),
    });
  const exported = async (path: string) => {
    const response = await call(secret, 'GET', path);
    expect(response.headers.get('content-disposition')).toContain('.tar"');
    return new Uint8Array(await response.arrayBuffer());
  };

  it('carry a version from one prompt to another', async () => {
    const archive = await exported('/v1/prompts/topics/versions/2/export');
    expect(Object.keys(await unpackTar(archive)).sort()).toEqual([
      'topics/card.json',
      'topics/prompt.safetensors',
    ]);
    const response = await send(archive, '?name=copy&activate=staging');
    const version = PromptVersion.parse(await response.json());
    expect(version).toMatchObject({ prompt: 'copy', version: 1, job: null });
    const original = await get(PromptVersion, '/v1/prompts/topics/versions/2');
    expect(version.hash).toBe(original.hash);
    const { aliases } = await get(PromptObject, '/v1/prompts/copy');
    expect(aliases).toEqual({ production: { version: 1 }, staging: { version: 1 } });
  });

  it('that are damaged, or for another backbone, are refused', async () => {
    const error = async (archive: Uint8Array) => {
      const response = await send(archive);
      return { status: response.status, ...OpenAiError.parse(await response.json()).error };
    };
    const archive = await exported('/v1/prompts/topics/versions/1/export');
    const at = archive.findIndex((_, i) => i > 3000 && archive[i] !== 0);
    const damaged = archive.with(at, archive[at]! ^ 1);
    expect(await error(damaged)).toMatchObject({ status: 422, code: 'archive.invalid' });
    expect(await error(archive.slice(0, 700))).toMatchObject({ status: 422 });
    expect(await error(Buffer.from('no tar at all'))).toMatchObject({ status: 422 });
    expect(await error(new Uint8Array())).toMatchObject({ status: 422, code: 'archive.invalid' });
    await publish('acme', 'foreign', { seed: 1, backboneName: 'large' });
    const foreign = await exported('/v1/prompts/foreign/versions/1/export');
    expect(await error(foreign)).toMatchObject({ status: 404, code: 'backbone.not_found' });
  });

  describe('of PEFT', () => {
    const adapter = () =>
      exported('/v1/prompts/topics/versions/2/export?format=peft&base_model=acme/tiny');
    const repack = async (
      change: (files: Record<string, Uint8Array>) => Record<string, Uint8Array>,
    ) =>
      new Uint8Array(
        await new Response(
          packTar(change(await unpackTar(await adapter())), new Date(0)),
        ).arrayBuffer(),
      );
    const refusal = async (archive: Uint8Array, query = '') => {
      const response = await send(archive, query);
      return { status: response.status, ...OpenAiError.parse(await response.json()).error };
    };
    const without = (name: string) =>
      repack((files) =>
        Object.fromEntries(Object.entries(files).filter(([path]) => !path.endsWith(name))),
      );

    it('carry a version out and in again, with the same answers', async () => {
      const files = await unpackTar(await adapter());
      const config = JSON.parse(Buffer.from(files['topics/adapter_config.json']!).toString());
      expect(config).toMatchObject({
        peft_type: 'PREFIX_TUNING',
        base_model_name_or_path: 'acme/tiny',
      });
      const response = await send(await adapter(), '?name=from-peft');
      const version = PromptVersion.parse(await response.json());
      const original = await get(PromptVersion, '/v1/prompts/topics/versions/2');
      const { labels, parameters, length } = original;
      expect(version).toMatchObject({
        prompt: 'from-peft',
        version: 1,
        job: null,
        labels,
        parameters,
        length,
      });
      const answer = async (model: string) =>
        (await call(secret, 'POST', `/models/${model}`, { inputs: 'the rain is' })).json();
      expect(await answer('from-peft')).toEqual(await answer('topics@2'));
    });

    it('are named by their folder, or must be given a name', async () => {
      const named = await repack((files) =>
        Object.fromEntries(
          Object.entries(files).map(([path, bytes]) => [path.replace('topics', './mine'), bytes]),
        ),
      );
      expect(PromptVersion.parse(await (await send(named)).json()).prompt).toBe('mine');
      const bare = await repack((files) =>
        Object.fromEntries(
          Object.entries(files).map(([path, bytes]) => [path.replace('topics/', ''), bytes]),
        ),
      );
      expect(await refusal(bare)).toMatchObject({ status: 422, param: 'name' });
      expect((await send(bare, '?name=bare')).status).toBe(200);
    });

    it('that do not fit are refused by name', async () => {
      expect(await refusal(await without('adapter_model.safetensors'))).toMatchObject({
        status: 422,
        code: 'archive.invalid',
        message: expect.stringContaining('no adapter_model.safetensors'),
      });
      const pickle = await repack((files) => {
        const { 'topics/adapter_model.safetensors': _, ...rest } = files;
        return { ...rest, 'topics/adapter_model.bin': Buffer.from('x') };
      });
      expect((await refusal(pickle)).message).toContain('pickle');
      const two = await repack((files) => ({
        ...files,
        'b/adapter_config.json': Buffer.from('{}'),
      }));
      expect((await refusal(two)).message).toContain('2 adapters');
      const larger = await repack((files) => {
        const config = JSON.parse(Buffer.from(files['topics/adapter_config.json']!).toString());
        const text = JSON.stringify({ ...config, num_layers: 12 });
        return { ...files, 'topics/adapter_config.json': Buffer.from(text) };
      });
      expect(await refusal(larger)).toMatchObject({ status: 404, code: 'backbone.not_found' });
      expect(await refusal(await adapter(), '?labels=a')).toMatchObject({ status: 422 });
      expect(
        await fail(400, 'GET', '/v1/prompts/topics/versions/1/export?format=onnx'),
      ).toMatchObject({ param: 'format' });
    });
  });
});

describe('models', () => {
  it('are the backbone and all versions', async () => {
    const { data } = await get(ModelList, '/v1/models');
    expect(data[0]).toMatchObject({ id: 'tiny', owned_by: 'polyprompt' });
    expect(data.map(({ id }) => id)).toContain('ft:tiny:acme:topics:3');
    expect(await get(Model, '/v1/models/tiny')).toEqual(data[0]);
    for (const reference of [
      'topics@3',
      'acme%2Ftopics@3',
      'acme/topics@3',
      'ft:tiny:acme:topics:3',
    ]) {
      expect(await get(Model, `/v1/models/${reference}`)).toMatchObject({
        id: 'ft:tiny:acme:topics:3',
        owned_by: 'acme',
      });
    }
    expect(await fail(404, 'GET', '/v1/models/gpt')).toMatchObject({ code: 'prompt.not_found' });
  });

  it('are deleted unless in use', async () => {
    await publish('acme', 'model', { seed: 1 });
    await publish('acme', 'model', { seed: 2 });
    expect(await fail(409, 'DELETE', '/v1/models/model')).toMatchObject({ code: 'prompt.in_use' });
    const gone = await call(secret, 'DELETE', '/v1/models/ft:tiny:acme:model:2');
    expect(await gone.json()).toEqual({
      id: 'ft:tiny:acme:model:2',
      object: 'model',
      deleted: true,
    });
    expect((await call(secret, 'GET', '/v1/models/ft:tiny:acme:model:2')).status).toBe(404);
  });
});
