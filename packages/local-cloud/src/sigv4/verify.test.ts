import { createHash } from 'node:crypto';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { manualClock } from '@polyprompt/clock';
import { describe, expect, it } from 'vitest';
import { BUCKET, clients, raw, type TestCloud, testCloud } from '../test-clients.ts';
import { ChunkSigner } from './chunks.ts';
import { canonicalHash, encodePath, scopeText, signature, signingKey } from './signing.ts';

const put = (Key: string, Body: string) => new PutObjectCommand({ Bucket: BUCKET, Key, Body });

describe('header signatures', () => {
  it('are required, for both services', async () => {
    const { endpoint } = await testCloud();
    expect(await raw('GET', `${endpoint}/${BUCKET}/key`)).toMatchObject({
      status: 403,
      body: expect.stringContaining('AccessDenied'),
    });
    const target = { 'x-amz-target': 'AmazonSQS.ListQueues' };
    expect(await raw('POST', endpoint, target, '{}')).toMatchObject({
      status: 403,
      body: expect.stringContaining('AccessDenied'),
    });
  });

  it('must come from the key pair of the server', async () => {
    const cloud = await testCloud();
    const wrongSecret = clients({
      ...cloud,
      credentials: { ...cloud.credentials, secretAccessKey: 'guess' },
    });
    const wrongId = clients({
      ...cloud,
      credentials: { ...cloud.credentials, accessKeyId: 'guess' },
    });
    await expect(wrongSecret.s3.send(put('key', 'x'))).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    });
    await expect(wrongId.s3.send(put('key', 'x'))).rejects.toMatchObject({
      name: 'InvalidAccessKeyId',
    });
    const receive = new ReceiveMessageCommand({ QueueUrl: `${cloud.endpoint}/000000000000/queue` });
    await expect(wrongSecret.sqs.send(receive)).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    });
  });

  it('go stale after the accepted skew of the server clock', async () => {
    const clock = manualClock();
    const cloud = await testCloud({ clock });
    clock.advance(14 * 60_000);
    await clients(cloud).s3.send(put('key', 'x'));
    clock.advance(2 * 60_000);
    const { s3 } = clients(cloud);
    await expect(s3.send(put('key', 'x'))).rejects.toMatchObject({ name: 'RequestTimeTooSkewed' });
    // The SDK learns the server's time from the Date header of the refusal.
    await s3.send(put('key', 'x'));
  });

  it('cover every x-amz- header and the body', async () => {
    const cloud = await testCloud();
    const body = 'content';
    const headers = sign(
      cloud,
      'PUT',
      `/${BUCKET}/key`,
      createHash('sha256').update(body).digest('hex'),
    );
    const url = `${cloud.endpoint}/${BUCKET}/key`;
    const unsigned = await raw('PUT', url, { ...headers, 'x-amz-meta-extra': '1' }, body);
    expect(unsigned).toMatchObject({
      status: 403,
      body: expect.stringContaining('x-amz-meta-extra'),
    });
    const swapped = await raw('PUT', url, { ...headers }, 'CONTENT');
    expect(swapped).toMatchObject({
      status: 400,
      body: expect.stringContaining('XAmzContentSHA256Mismatch'),
    });
    expect(await raw('PUT', url, headers, body)).toMatchObject({ status: 200 });
  });
});

describe('presigned URLs', () => {
  it('work until they expire, by the server clock', async () => {
    const clock = manualClock();
    const { s3 } = await testCloud({ clock });
    await s3.send(put('key', 'content'));
    const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: BUCKET, Key: 'key' }), {
      expiresIn: 3600,
    });
    expect(await raw('GET', url)).toMatchObject({ status: 200, body: 'content' });
    clock.advance(3601_000);
    expect(await raw('GET', url)).toMatchObject({
      status: 403,
      body: expect.stringContaining('expired'),
    });
  });

  it('allow exactly what was signed', async () => {
    const { s3 } = await testCloud();
    await s3.send(put('mine', 'x'));
    const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: BUCKET, Key: 'mine' }), {
      expiresIn: 60,
    });
    for (const forged of [
      url.replace('mine', 'other'),
      url.replace('X-Amz-Expires=60', 'X-Amz-Expires=600'),
      `${url}&response-content-type=text/html`,
    ]) {
      expect(await raw('GET', forged)).toMatchObject({
        status: 403,
        body: expect.stringContaining('SignatureDoesNotMatch'),
      });
    }
    expect((await raw('PUT', url, {}, 'y')).status).toBe(403);
    expect((await raw('GET', url.replace('X-Amz-Expires=60', 'X-Amz-Expires=700000'))).status).toBe(
      400,
    );
  });

  it('upload with metadata from the query', async () => {
    const { s3 } = await testCloud();
    const command = new PutObjectCommand({
      Bucket: BUCKET,
      Key: 'key',
      Metadata: { owner: 'ana' },
      ContentType: 'text/plain',
    });
    const url = await getSignedUrl(s3, command, { expiresIn: 60 });
    expect(
      (await raw('PUT', url, { 'content-type': 'text/plain', 'content-length': '7' }, 'content'))
        .status,
    ).toBe(200);
    const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'key' }));
    expect(head).toMatchObject({
      ContentLength: 7,
      ContentType: 'text/plain',
      Metadata: { owner: 'ana' },
    });
  });
});

describe('signed aws-chunked bodies', () => {
  const chunks = ['a'.repeat(70_000), 'b'.repeat(10)];

  it('are accepted with a trailer and stored without framing', async () => {
    const cloud = await testCloud();
    const response = await putChunked(cloud, chunks);
    expect(response).toMatchObject({ status: 200 });
    const { Body } = await cloud.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'key' }));
    expect(await Body?.transformToString()).toBe(chunks.join(''));
  });

  it.each([
    ['a changed chunk', (body: string) => body.replace('bbbb', 'bbbc')],
    ['a changed trailer', (body: string) => body.replace(/(x-amz-checksum-sha256:)./, '$1_')],
    [
      'a trailer without its signature',
      (body: string) => body.replace(/x-amz-trailer-signature.*\r\n/, ''),
    ],
    ['a missing last chunk', (body: string) => body.slice(0, body.indexOf('\r\n0;') + 2)],
    ['no trailer at all', (body: string) => body.slice(0, body.indexOf('x-amz-checksum'))],
  ])('are refused with %s, and nothing is stored', async (_, tamper) => {
    const cloud = await testCloud();
    const { status } = await putChunked(cloud, chunks, tamper);
    expect([400, 403]).toContain(status);
    await expect(
      cloud.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'key' })),
    ).rejects.toMatchObject({ name: 'NotFound' });
  });
});

/** A signed request with the payload keyword given, for what the SDK never sends. */
function sign(
  { endpoint, credentials }: TestCloud,
  method: string,
  path: string,
  payload: string,
  more: Record<string, string> = {},
): Record<string, string> {
  const { timestamp, scope, key } = signingContext(credentials.secretAccessKey);
  const headers: Record<string, string> = {
    host: new URL(endpoint).host,
    'x-amz-content-sha256': payload,
    'x-amz-date': timestamp,
    ...more,
  };
  const signed = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = canonicalHash({
    method,
    path: encodePath(path),
    query: [],
    headers: signed,
    payload,
  });
  const names = signed.map(([name]) => name).join(';');
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scopeText(scope)}, SignedHeaders=${names}, Signature=${signature(key, 'AWS4-HMAC-SHA256', timestamp, scope, hash)}`;
  return { ...headers, authorization };
}

function signingContext(secret: string) {
  const timestamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = { date: timestamp.slice(0, 8), region: 'us-east-1', service: 's3' };
  return { timestamp, scope, key: signingKey(secret, scope) };
}

async function putChunked(cloud: TestCloud, chunks: string[], tamper = (body: string) => body) {
  const path = `/${BUCKET}/key`;
  const content = chunks.join('');
  const headers = sign(cloud, 'PUT', path, 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', {
    'x-amz-decoded-content-length': String(content.length),
    'x-amz-trailer': 'x-amz-checksum-sha256',
  });
  const { scope, key } = signingContext(cloud.credentials.secretAccessKey);
  const seed = headers.authorization?.split('Signature=')[1] ?? '';
  const signer = new ChunkSigner(key, headers['x-amz-date'] ?? '', scope, seed);
  const frames = [...chunks, ''].map((data) => {
    const digest = createHash('sha256').update(data).digest('hex');
    return `${data.length.toString(16)};chunk-signature=${signer.chunk(digest)}\r\n${data}${data && '\r\n'}`;
  });
  const checksum = createHash('sha256').update(content).digest('base64');
  const trailer = `x-amz-checksum-sha256:${checksum}\r\nx-amz-trailer-signature:${signer.trailer([['x-amz-checksum-sha256', checksum]])}\r\n\r\n`;
  return raw('PUT', cloud.endpoint + path, headers, tamper(frames.join('') + trailer));
}
