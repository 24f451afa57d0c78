import {
  FileList,
  FileObject,
  OpenAiError,
  PresignedUpload,
  ValidationReport,
} from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { pausedBody } from '../testing/paused-body.ts';
import { testService } from '../testing/test-service.ts';

const limits = { uploadBytes: 100_000, checkBytes: 50_000, heldBytes: 120_000 };
const { app, key, call, ask, registry } = await testService({ deps: { limits } });
const secret = await key('acme', 'tune');
const LINES = Array.from({ length: 20 }, (_, i) =>
  JSON.stringify({ text: `text ${i}`, label: i % 2 ? 'a' : 'b', language: 'en' }),
);
const DATA = `${LINES.join('\n')}\n`;

async function send(path: string, form: FormData): Promise<Response> {
  // Encoded beforehand: a form whose reader stops early makes undici's own stream fail.
  const encoded = new Response(form);
  const headers = {
    authorization: `Bearer ${secret}`,
    'content-type': encoded.headers.get('content-type')!,
  };
  return app.request(path, { method: 'POST', headers, body: await encoded.arrayBuffer() });
}

function form(content: string, fields: Record<string, string> = { purpose: 'fine-tune' }) {
  const data = new FormData();
  // The file first, as OpenAI's client sends it.
  data.append('file', new File([content], 'train.jsonl'));
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}

async function upload(content = DATA, fields?: Record<string, string>): Promise<FileObject> {
  const response = await send('/v1/files', form(content, fields));
  expect(response.status).toBe(200);
  return FileObject.parse(await response.json());
}

async function failure(response: Promise<Response> | Response) {
  const { status, body } = { status: (await response).status, body: await (await response).json() };
  return { status, ...OpenAiError.parse(body).error };
}

const fail = (status: number, method: string, path: string, body?: object | string) =>
  ask({ status, schema: OpenAiError }, secret, method, path, body).then(({ error }) => error);

describe('files', () => {
  it('are stored as they come, and come back byte by byte', async () => {
    const file = await upload(`${DATA}{"text":"naïve 漢字 🙂","label":"a"}\n`);
    expect(file).toMatchObject({
      filename: 'train.jsonl',
      purpose: 'fine-tune',
      status: 'processed',
    });
    expect(await ask({ schema: FileObject }, secret, 'GET', `/v1/files/${file.id}`)).toEqual(file);
    const content = await call(secret, 'GET', `/v1/files/${file.id}/content`);
    expect(Number(content.headers.get('content-length'))).toBe(file.bytes);
    expect(content.headers.get('content-disposition')).toContain('train.jsonl');
    expect(content.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await content.text()).toBe(`${DATA}{"text":"naïve 漢字 🙂","label":"a"}\n`);
    const head = await app.request(`/v1/files/${file.id}/content`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${secret}` },
    });
    expect(head.headers.get('content-length')).toBe(String(file.bytes));
  });

  it('expire when their form says so, even behind the file', async () => {
    const fields = {
      purpose: 'fine-tune',
      'expires_after[anchor]': 'created_at',
      'expires_after[seconds]': '3600',
    };
    const file = await upload(DATA, fields);
    expect(Math.abs(file.expires_at! - file.created_at - 3600)).toBeLessThanOrEqual(5);
  });

  it('are listed in pages, and gone when deleted', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await upload()).id);
    const first = await ask({ schema: FileList }, secret, 'GET', '/v1/files?limit=2');
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first).toMatchObject({ has_more: true, last_id: ids[1] });
    const next = `/v1/files?limit=1&after=${ids[1]}&purpose=fine-tune`;
    const second = await ask({ schema: FileList }, secret, 'GET', next);
    expect(second.data.map(({ id }) => id)).toEqual([ids[2]]);
    const gone = await call(secret, 'DELETE', `/v1/files/${ids[0]}`);
    expect(await gone.json()).toEqual({ id: ids[0], object: 'file', deleted: true });
    for (const path of [`/v1/files/${ids[0]}`, `/v1/files/${ids[0]}/content`]) {
      expect(await fail(404, 'GET', path)).toMatchObject({ code: 'file.not_found' });
    }
  });

  it('can be put to a URL past the API', async () => {
    const body = { filename: 'big.jsonl', purpose: 'fine-tune', bytes: DATA.length };
    const presign = { schema: PresignedUpload };
    const { file, url, headers } = await ask(presign, secret, 'POST', '/v1/files/presign', body);
    expect(file.status).toBe('uploaded');
    const put = await fetch(url, { method: 'PUT', headers, body: DATA });
    expect(put.status).toBe(200);
    const ready = await ask({ schema: FileObject }, secret, 'GET', `/v1/files/${file.id}`);
    expect(ready).toMatchObject({ status: 'processed', bytes: DATA.length });
    const content = await call(secret, 'GET', `/v1/files/${file.id}/content`);
    expect(await content.text()).toBe(DATA);
  });

  it('come back whatever their name is', async () => {
    const body = { filename: 'a\ud83d "é".jsonl', purpose: 'fine-tune', bytes: DATA.length };
    const presign = { schema: PresignedUpload };
    const { file, url, headers } = await ask(presign, secret, 'POST', '/v1/files/presign', body);
    await fetch(url, { method: 'PUT', headers, body: DATA });
    const content = await call(secret, 'GET', `/v1/files/${file.id}/content`);
    expect(content.status).toBe(200);
    expect(content.headers.get('content-disposition')).toBe(
      "attachment; filename*=UTF-8''a%EF%BF%BD%20%22%C3%A9%22.jsonl",
    );
    expect(await content.text()).toBe(DATA);
  });

  it('that are too large are refused with the way around, and leave nothing', async () => {
    const before = await registry.files.list('acme', { limit: 100 });
    const announced = await failure(send('/v1/files', form('x'.repeat(300_000))));
    const counted = await failure(send('/v1/files', form('x'.repeat(100_001))));
    for (const error of [announced, counted]) {
      expect(error).toMatchObject({ status: 413, code: 'body.too_large' });
      expect(error.message).toContain('/v1/files/presign');
    }
    expect(await registry.files.list('acme', { limit: 100 })).toEqual(before);
  });

  it.each([
    ['another purpose', form(DATA, { purpose: 'assistants' }), 400, 'purpose'],
    ['no purpose', form(DATA, {}), 400, 'purpose'],
    ['no file', new FormData(), 400, 'file'],
    [
      'a short life',
      form(DATA, {
        purpose: 'fine-tune',
        'expires_after[anchor]': 'created_at',
        'expires_after[seconds]': '1',
      }),
      422,
      'expires_after.seconds',
    ],
  ])('with %s are refused, and leave nothing', async (_, body, status, param) => {
    const before = await registry.files.list('acme', { limit: 100 });
    expect(await failure(send('/v1/files', body))).toMatchObject({ status, param });
    expect(await registry.files.list('acme', { limit: 100 })).toEqual(before);
  });

  it('with odd ids are refused before anything is looked up', async () => {
    for (const id of ['..%2F..%2Fkeys', 'file-%00', 'job-1', 'file-']) {
      expect(await fail(422, 'GET', `/v1/files/${id}`)).toMatchObject({ param: 'file_id' });
    }
  });
});

describe('the check of a file', () => {
  const bad = [...LINES];
  bad[4] = '{"text": "no label"}';
  bad[9] = '{"text": ';
  bad[16] = '{"text": "", "label": "a"}';
  const BAD = bad.join('\n');

  it('reports every bad line of a stored file', async () => {
    const { id } = await upload(BAD);
    const body = { file_id: id, task: 'text-classification' };
    const report = await ask(
      { schema: ValidationReport },
      secret,
      'POST',
      '/v1/files/validate',
      body,
    );
    expect(report).toMatchObject({ valid: false, examples: 17, errors: 3 });
    const errors = report.issues.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ line }) => line)).toEqual([5, 10, 17]);
  });

  it('checks words with tags, by the line of each', async () => {
    const words = new File(['Anna B-PER\nsleeps O\n\nOslo\n'], 'train.conll');
    const body = new FormData();
    body.set('task', 'token-classification');
    body.set('file', words);
    const report = ValidationReport.parse(await (await send('/v1/files/validate', body)).json());
    expect(report).toMatchObject({ valid: false, examples: 1, errors: 1, labels: { PER: 1 } });
    const [issue] = report.issues.filter(({ severity }) => severity === 'error');
    expect(issue).toMatchObject({ code: 'wrong_column_count', line: 4, excerpt: 'Oslo' });
  });

  /** Entities behind a character of one code point, two UTF-16 units and four bytes. */
  const entities = (start: number) => {
    const row = {
      text: '🙂 Oslo',
      entities: [{ start, end: start + 4, label: 'LOC', text: 'Oslo' }],
    };
    return Array.from({ length: 20 }, () => JSON.stringify(row)).join('\n');
  };

  it.each([
    ['codepoint', 2],
    ['utf16', 3],
    ['byte', 5],
  ] as const)('reads offsets in %s where it is told so', async (offset_unit, start) => {
    const { id } = await upload(entities(start));
    const task = 'token-classification';
    const check = async (reading: object) => {
      const body = { file_id: id, task, ...reading };
      const wanted = { schema: ValidationReport };
      const stored = await ask(wanted, secret, 'POST', '/v1/files/validate', body);
      const sent = form(entities(start), { task, ...reading });
      expect(await (await send('/v1/files/validate', sent)).json()).toEqual(stored);
      return stored;
    };
    expect(await check({ offset_unit })).toMatchObject({
      valid: true,
      labels: { LOC: 20 },
      offset_unit,
    });
    const other = offset_unit === 'byte' ? 'utf16' : 'byte';
    expect(await check({ offset_unit: other })).toMatchObject({ valid: false, offset_unit: other });
    expect((await check({})).valid).toBe(offset_unit === 'codepoint');
  });

  it('mends tags that cannot follow each other, or refuses them', async () => {
    const words = new File(
      ['the O\nsnow B-SKY\n\nthe O\nrain I-SKY\n\n'.repeat(10)],
      'train.conll',
    );
    const check = async (reading: Record<string, string>) => {
      const body = new FormData();
      for (const [name, value] of Object.entries({ task: 'token-classification', ...reading })) {
        body.set(name, value);
      }
      body.set('file', words);
      return ValidationReport.parse(await (await send('/v1/files/validate', body)).json());
    };
    expect(await check({})).toMatchObject({ valid: true, labels: { SKY: 20 } });
    expect(await check({ invalid_tags: 'refuse' })).toMatchObject({ valid: false, errors: 10 });
    const body = form('', { task: 'token-classification', offset_unit: 'characters' });
    expect(await failure(send('/v1/files/validate', body))).toMatchObject({
      ...{ status: 400, param: 'offset_unit' },
    });
  });

  it('takes data in a form, and keeps nothing of it', async () => {
    const before = await registry.files.list('acme', { limit: 100 });
    const response = await send('/v1/files/validate', form(DATA, { task: 'text-classification' }));
    const report = ValidationReport.parse(await response.json());
    expect(report).toMatchObject({
      valid: true,
      examples: 20,
      errors: 0,
      labels: { a: 10, b: 10 },
      languages: { en: 20 },
    });
    expect(await registry.files.list('acme', { limit: 100 })).toEqual(before);
  });

  it('refuses what it cannot check', async () => {
    const { id } = await upload('x'.repeat(60_000));
    const task = 'text-classification';
    const check = (status: number, body: object) =>
      fail(status, 'POST', '/v1/files/validate', body);
    expect((await check(413, { file_id: id, task })).message).toContain('start a job');
    expect(await check(404, { file_id: 'file-none', task })).toMatchObject({
      code: 'file.not_found',
    });
    expect(await check(400, { file_id: id, task: 'guessing' })).toMatchObject({ param: 'task' });
    const large = await failure(send('/v1/files/validate', form('x'.repeat(60_000), { task })));
    expect(large).toMatchObject({ status: 413, code: 'body.too_large' });
  });

  it('holds no more data in memory than it has room for, and no tenant all of it', async () => {
    const other = await key('other', 'tune');
    const encoded = new Response(form('x'.repeat(40_000), { task: 'text-classification' }));
    const type = encoded.headers.get('content-type')!;
    const bytes = Buffer.from(await encoded.arrayBuffer());
    const check = (by: string, body: Buffer | ReadableStream) => {
      const headers = { authorization: `Bearer ${by}`, 'content-type': type };
      const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
      return app.request('/v1/files/validate', init);
    };
    const paused = pausedBody(bytes, 35_000);
    const slow = check(secret, paused.stream);
    await paused.taken;
    const refused = await failure(check(secret, bytes));
    expect(refused).toMatchObject({ status: 429, code: 'overloaded' });
    expect((await check(other, bytes)).status).toBe(200);
    paused.goOn();
    expect((await slow).status).toBe(200);
    expect((await check(secret, bytes)).status).toBe(200);
  });
});
