import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ChunkSigner } from './chunks.ts';
import { canonicalHash, EMPTY_SHA256, encode, signature, signingKey } from './signing.ts';

// The examples that AWS publishes with the specification of Signature Version 4 for S3.
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const TIMESTAMP = '20130524T000000Z';
const scope = { date: '20130524', region: 'us-east-1', service: 's3' };
const key = signingKey(SECRET, scope);
const sign = (hash: string) => signature(key, 'AWS4-HMAC-SHA256', TIMESTAMP, scope, hash);

describe('published examples', () => {
  it('signs a GET with a Range header', () => {
    const hash = canonicalHash({
      method: 'GET',
      path: '/test.txt',
      query: [],
      headers: [
        ['host', 'examplebucket.s3.amazonaws.com'],
        ['range', 'bytes=0-9'],
        ['x-amz-content-sha256', EMPTY_SHA256],
        ['x-amz-date', TIMESTAMP],
      ],
      payload: EMPTY_SHA256,
    });
    expect(sign(hash)).toBe('f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41');
  });

  it('signs a presigned GET', () => {
    const hash = canonicalHash({
      method: 'GET',
      path: '/test.txt',
      query: [
        ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
        ['X-Amz-Credential', 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request'],
        ['X-Amz-Date', TIMESTAMP],
        ['X-Amz-Expires', '86400'],
        ['X-Amz-SignedHeaders', 'host'],
      ],
      headers: [['host', 'examplebucket.s3.amazonaws.com']],
      payload: 'UNSIGNED-PAYLOAD',
    });
    expect(sign(hash)).toBe('aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404');
  });

  it('chains chunk signatures', () => {
    const signer = new ChunkSigner(
      key,
      TIMESTAMP,
      scope,
      '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
    );
    const sha256 = (bytes: number) => createHash('sha256').update('a'.repeat(bytes)).digest('hex');
    expect([65536, 1024, 0].map((bytes) => signer.chunk(sha256(bytes)))).toEqual([
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    ]);
  });
});

it('encodes everything but the unreserved characters', () => {
  expect(encode("aZ09-._~ /+=!'()*é")).toBe('aZ09-._~%20%2F%2B%3D%21%27%28%29%2A%C3%A9');
});
