import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeAwsChunked } from './aws-chunked.ts';

/** The text in pieces of the given sizes: TCP may cut anywhere. */
async function* pieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let offset = 0;
  for (let i = 0; offset < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}

async function decode(bytes: Buffer, sizes: readonly number[] = [bytes.length || 1]) {
  const trailers = new Map<string, string>();
  const parts: Buffer[] = [];
  for await (const part of decodeAwsChunked(pieces(bytes, sizes), null, trailers)) parts.push(part);
  return { content: Buffer.concat(parts), trailers };
}

describe('decodeAwsChunked', () => {
  it('restores the content whatever the chunking and however the bytes arrive', async () => {
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 300 });
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 8 }), sizes, async (chunks, sizes) => {
        const frames = chunks.map((data) =>
          Buffer.concat([
            Buffer.from(`${data.length.toString(16)}\r\n`),
            data,
            Buffer.from('\r\n'),
          ]),
        );
        const framed = Buffer.concat([...frames, Buffer.from('0\r\nX-Sum: abc \r\n\r\n')]);
        const { content, trailers } = await decode(framed, sizes);
        expect(content.equals(Buffer.concat(chunks))).toBe(true);
        expect([...trailers]).toEqual([['x-sum', 'abc']]);
      }),
    );
  });

  it.each([
    ['', 'IncompleteBody'],
    ['5\r\nhel', 'IncompleteBody'],
    ['5\r\nhello\r\n', 'IncompleteBody'],
    ['3\r\nhello\r\n0\r\n\r\n', 'InvalidRequest'],
    ['-1\r\n\r\n', 'InvalidRequest'],
    ['zz\r\n\r\n', 'InvalidRequest'],
    ['0\r\nno colon\r\n\r\n', 'InvalidRequest'],
    ['x'.repeat(10_000), 'InvalidRequest'],
  ])('refuses %j', async (text, code) => {
    await expect(decode(Buffer.from(text))).rejects.toMatchObject({ code });
  });
});
