import { ApiError } from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { openForm } from './multipart.ts';

const BOUNDARY = 'edge';

interface Part {
  readonly name: string;
  readonly filename?: string;
  readonly value: string;
}

function body(...parts: readonly Part[]): string {
  const lines = parts.map(({ name, filename, value }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`;
    return `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`;
  });
  return `${lines.join('')}--${BOUNDARY}--\r\n`;
}

function request(
  payload: string | ReadableStream,
  type = `multipart/form-data; boundary=${BOUNDARY}`,
): Request {
  const init = { method: 'POST', headers: { 'content-type': type }, body: payload };
  return new Request('http://localhost/v1/files', { ...init, duplex: 'half' });
}

async function read(payload: string | ReadableStream, maxBytes = 1000, type?: string) {
  const form = await openForm(request(payload, type), {
    maxBytes,
    advice: 'send less',
    parse: (fields) => fields,
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of form.content) pieces.push(piece);
  return { ...form, text: Buffer.concat(pieces).toString(), values: form.fields() };
}

const FILE: Part = { name: 'file', filename: 'a.jsonl', value: '{"text":"héllo"}\n' };

describe('an upload form', () => {
  it('may have its fields before or behind the file', async () => {
    const purpose = { name: 'purpose', value: 'fine-tune' };
    const days = { name: 'expires_after[seconds]', value: '3600' };
    for (const parts of [
      [purpose, FILE, days],
      [FILE, purpose, days],
      [days, purpose, FILE],
    ]) {
      const { filename, text, values } = await read(body(...parts));
      expect(filename).toBe('a.jsonl');
      expect(text).toBe(FILE.value);
      expect(values).toEqual({ purpose: 'fine-tune', expires_after: { seconds: '3600' } });
    }
  });

  it('streams: the first bytes arrive while the rest is still unsent', async () => {
    const whole = body({ ...FILE, value: 'x'.repeat(200_000) });
    const sent = Promise.withResolvers<void>();
    const stream = new ReadableStream({
      async start(controller) {
        controller.enqueue(Buffer.from(whole.slice(0, 100_000)));
        await sent.promise;
        controller.enqueue(Buffer.from(whole.slice(100_000)));
        controller.close();
      },
    });
    const form = await openForm(request(stream), {
      maxBytes: 1e6,
      advice: '',
      parse: () => 'parsed',
    });
    let size = 0;
    for await (const piece of form.content) {
      size += piece.byteLength;
      sent.resolve();
    }
    expect(size).toBe(200_000);
    expect(form.fields()).toBe('parsed');
  });

  it('drops the folders of a file name', async () => {
    for (const filename of ['../../etc/a.jsonl', 'C:\\\\temp\\\\a.jsonl', '/a.jsonl']) {
      expect((await read(body({ ...FILE, filename }))).filename).toBe('a.jsonl');
    }
  });

  it.each<[string, string, number | undefined, string | undefined, string]>([
    ['no file', body({ name: 'purpose', value: 'x' }), undefined, undefined, 'no file'],
    ['a file in another field', body({ ...FILE, name: 'data' }), undefined, undefined, '"data"'],
    ['two files', body(FILE, FILE), undefined, undefined, 'more than one file'],
    ['a file over the limit', body(FILE), 5, undefined, 'the limit is 5; send less'],
    ['a form that breaks off', body(FILE).slice(0, -30), undefined, undefined, 'damaged'],
    [
      'a form that breaks off in a field',
      body({ ...FILE, name: 'x' }).slice(0, 60),
      undefined,
      undefined,
      'damaged',
    ],
    ['JSON', '{}', undefined, 'application/json', 'multipart/form-data'],
    ['no boundary', body(FILE), undefined, 'multipart/form-data', 'multipart/form-data'],
    [
      'a long field',
      body(FILE, { name: 'x', value: 'y'.repeat(5000) }),
      undefined,
      undefined,
      'too long',
    ],
    [
      'a flood of fields',
      body(...Array(40).fill({ name: 'x', value: 'y' }), FILE),
      undefined,
      undefined,
      'fields',
    ],
    [
      'a long file name',
      body({ ...FILE, filename: 'x'.repeat(300) }),
      undefined,
      undefined,
      '300 characters',
    ],
  ])('refuses %s', async (_, payload, maxBytes, type, message) => {
    const failure = await read(payload, maxBytes, type).catch((error) => error);
    expect(failure).toBeInstanceOf(ApiError);
    expect(failure.message).toContain(message);
  });

  it('fails the reader with what is wrong with the fields', async () => {
    const form = await openForm(request(body(FILE)), {
      maxBytes: 1000,
      advice: '',
      parse: () => {
        throw ApiError.unprocessable('invalid_value', 'no purpose', 'purpose');
      },
    });
    const reading = (async () => {
      for await (const _ of form.content);
    })();
    await expect(reading).rejects.toThrow('no purpose');
  });
});
