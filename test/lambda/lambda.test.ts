/** The Lambda entry driven with events of a function URL, over an object store and a queue on loopback. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { hashFiles } from '@polyprompt/backbone';
import { pino } from 'pino';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { bufferedHandler } from '../../functions/api/src/lambda/buffered.ts';
import { loadService } from '../../functions/api/src/lambda/service.ts';
import { streamingHandler } from '../../functions/api/src/lambda/streaming.ts';
import { installRuntime, invoke, ResponseStream } from './runtime.ts';
import { recorded, startCloud } from './setup.ts';

installRuntime();
const { env, secret, registry, backbone } = await startCloud();
for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const)
  vi.stubEnv(name, env[name]);
const log: string[] = [];
const logger = pino({}, { write: (line: string) => log.push(line) });
const root = `${import.meta.dirname}/../../functions/api`;
const service = loadService({ env, logger, root });
const handler = streamingHandler(service, logger);
const buffered = bufferedHandler(service);
afterAll(async () => (await service).close());

const parse = (body: Buffer | string) => JSON.parse(body.toString());
const [, boundary] = /boundary=(.*)/.exec(recorded('upload').headers['content-type']!)!;

function upload(content: string) {
  const lines = [
    `--${boundary}`,
    'Content-Disposition: form-data; name="purpose"',
    '',
    'fine-tune',
    `--${boundary}`,
    'Content-Disposition: form-data; name="file"; filename="large.jsonl"',
    '',
    content,
    `--${boundary}--`,
    '',
  ];
  const body = Buffer.from(lines.join('\r\n'));
  const headers = { 'content-length': String(body.length) };
  return recorded('upload', secret, { body: body.toString('base64'), headers });
}

describe('a streamed answer', () => {
  it('comes from the prompt, for a text body', async () => {
    const { statusCode, headers, body, complete } = await invoke(
      handler,
      recorded('infer', secret),
    );
    expect({ statusCode, complete }).toEqual({ statusCode: 200, complete: true });
    expect(headers['x-prompt-version']).toBe('ft:tiny:acme:topics:1');
    expect(headers['x-request-id']).toBeTruthy();
    const [row] = parse(body);
    expect(row.map(({ label }: { label: string }) => label).sort()).toEqual([
      'food',
      'music',
      'weather',
    ]);
  });

  it('comes from the prompt, for a base64 body', async () => {
    const { statusCode, body } = await invoke(handler, recorded('infer-base64', secret));
    expect(statusCode).toBe(200);
    expect(parse(body)).toHaveLength(2);
  });

  it('takes a form with a file, byte by byte', async () => {
    const { statusCode, body } = await invoke(handler, recorded('upload', secret));
    expect(statusCode).toBe(200);
    const { id, filename, bytes } = parse(body);
    expect(filename).toBe('train.jsonl');
    const content = await invoke(
      handler,
      recorded('list-files', secret, { rawPath: `/v1/files/${id}/content` }),
    );
    expect(content.body.toString('utf8').split('\n')).toHaveLength(21);
    expect(content.body).toHaveLength(bytes);
    const list = await invoke(handler, recorded('list-files', secret));
    expect(parse(list.body).data.map((file: { id: string }) => file.id)).toContain(id);
  });

  it('refuses a file that Lambda cannot take, and says where it goes', async () => {
    const { statusCode, body } = await invoke(handler, upload('x'.repeat(4 * 1024 ** 2 + 100_000)));
    expect(statusCode).toBe(413);
    expect(parse(body).error.message).toMatch(/limit is \d+.*POST \/v1\/files\/presign/);
  });

  it('says what is wrong without a key, and with an unknown route', async () => {
    const unknown = await invoke(handler, recorded('infer'));
    expect([unknown.statusCode, parse(unknown.body).error]).toEqual([
      401,
      expect.stringContaining('no API key'),
    ]);
    const nowhere = await invoke(handler, recorded('ready', secret, { rawPath: '/nowhere' }));
    expect(nowhere.statusCode).toBe(404);
  });

  it('is ready, with the backbone of the settings', async () => {
    const { statusCode, body } = await invoke(handler, recorded('ready'));
    expect(statusCode).toBe(200);
    expect(parse(body).backbone).toEqual({ id: 'tiny', fingerprint: await backbone.fingerprint() });
  });

  it('ends when its usage is stored, since the instance may never run again', async () => {
    const before = await registry.usage.query('acme', { limit: 10 });
    await invoke(handler, recorded('infer', secret));
    const after = await registry.usage.query('acme', { limit: 10 });
    const count = ({ items }: typeof after) => items.reduce((sum, row) => sum + row.requests, 0);
    expect(count(after)).toBe(count(before) + 1);
  });

  it('is an error in time, when the time of the function is too short', async () => {
    const inputs = Array.from({ length: 128 }, () => 'the rain is a soup '.repeat(8));
    const event = recorded('infer', secret, { body: JSON.stringify({ inputs }) });
    const { statusCode, body } = await invoke(handler, event, { remainingMs: 1000 });
    expect(statusCode).toBe(504);
    expect(parse(body).error).toContain('no answer within 1 ms');
  });

  it('is an error in time for what is no inference, too', async () => {
    const { id } = parse((await invoke(handler, recorded('upload', secret))).body);
    const event = recorded('infer', secret, {
      rawPath: '/v1/files/validate',
      body: JSON.stringify({ file_id: id, task: 'text-classification' }),
    });
    const { statusCode, body } = await invoke(handler, event, { remainingMs: 500 });
    expect(statusCode).toBe(504);
    expect(parse(body).error).toMatchObject({ code: 'deadline', type: 'server_error' });
  });
});

describe('a stream without an end', () => {
  const events = async () => {
    const file = await registry.files.create('acme', {
      filename: 'train.jsonl',
      purpose: 'fine-tune',
      body: Readable.from([Buffer.from('{"text":"the rain","label":"weather"}\n')]),
    });
    const request = {
      backbone: 'tiny',
      trainingFile: file.id,
      validationFile: null,
      prompt: 'new',
      seed: 1,
      activate: null,
      metadata: {},
      hyperparameters: {},
      settings: { task: 'text-classification' },
    };
    const { id } = await registry.jobs.create('acme', request, { bodyHash: file.id });
    return recorded('ready', secret, {
      rawPath: `/v1/fine_tuning/jobs/${id}/events`,
      headers: { accept: 'text/event-stream' },
    });
  };

  it('is ended before the time of the function is', async () => {
    const { statusCode, headers, complete } = await invoke(handler, await events(), {
      remainingMs: 800,
    });
    expect({ statusCode, complete }).toEqual({ statusCode: 200, complete: true });
    expect(headers['content-type']).toBe('text/event-stream');
  });

  it('ends when the client has left', async () => {
    let begun = () => {};
    const first = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const stream = new ResponseStream(() => begun());
    const closed = once(stream, 'close');
    const answer = invoke(handler, await events(), { stream });
    await first;
    stream.destroy();
    await closed;
    expect((await answer).complete).toBe(false);
    expect(log.filter((line) => line.includes('broke off'))).toEqual([]);
  });
});

describe('a buffered answer', () => {
  const context = { getRemainingTimeInMillis: () => 30_000 };

  it('is text where it is JSON', async () => {
    const answer = await buffered(recorded('infer', secret) as never, context);
    expect(answer).toMatchObject({ statusCode: 200, isBase64Encoded: false });
    expect(parse(answer.body)[0]).toHaveLength(3);
  });

  it('is base64 where it is not', async () => {
    const rawPath = '/v1/prompts/topics/versions/1/export';
    const answer = await buffered(recorded('ready', secret, { rawPath }) as never, context);
    expect(answer).toMatchObject({ statusCode: 200, isBase64Encoded: true });
    expect(Buffer.from(answer.body, 'base64').toString('latin1')).toContain('prompt.safetensors');
  });
});

describe('an instance', () => {
  it('names the settings that it cannot be without', async () => {
    const { POLYPROMPT_BUCKET: _, ...rest } = env;
    await expect(loadService({ env: rest, logger, root })).rejects.toThrow(/POLYPROMPT_BUCKET/);
    await expect(
      loadService({ env: { ...env, POLYPROMPT_QUEUE: 'jobs' }, logger, root }),
    ).rejects.toThrow(/POLYPROMPT_QUEUE must be the URL/);
  });

  it('fetches its backbone from the bucket, where the bundle has none', async () => {
    const fingerprint = await backbone.fingerprint();
    const files = await hashFiles(backbone.dir, backbone.checkpoint.files);
    await registry.backbones.push({ id: 'pushed', fingerprint, files });
    const other = { ...env, POLYPROMPT_BACKBONE: 'pushed' };
    const { app, close } = await loadService({ env: other, logger, root });
    const ready = await app.request('/ready');
    expect(await ready.json()).toMatchObject({ backbone: { id: 'pushed', fingerprint } });
    await close();
  });
});
