/** Real SDK clients against a real server: what the tests of this package drive it with. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { onTestFinished } from 'vitest';
import { type LocalCloud, type LocalCloudOptions, startLocalCloud } from './index.ts';

export const BUCKET = 'bucket';

export interface TestCloud extends LocalCloud {
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  /** Internal failures; a test that meets one fails at its end. */
  readonly errors: unknown[];
}

/** Starts a server that lives as long as the test, with one bucket. Clients try once: faults stay visible. */
export async function testCloud(options: Partial<LocalCloudOptions> = {}): Promise<TestCloud> {
  const errors: unknown[] = [];
  const cloud = await startLocalCloud({
    dir: ':memory:',
    onError: (error) => errors.push(error),
    ...options,
  });
  const { s3, sqs } = clients(cloud);
  onTestFinished(async () => {
    s3.destroy();
    sqs.destroy();
    await cloud.close();
    if (errors.length > 0) throw new AggregateError(errors, 'the server failed internally');
  });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET })).catch((error) => {
    if (error.name !== 'BucketAlreadyOwnedByYou') throw error;
  });
  return { ...cloud, s3, sqs, errors };
}

export function clients({ endpoint, credentials }: Pick<LocalCloud, 'endpoint' | 'credentials'>): {
  s3: S3Client;
  sqs: SQSClient;
} {
  // A copy, because the SDK writes into what it is given.
  const config = { endpoint, credentials: { ...credentials }, region: 'us-east-1', maxAttempts: 1 };
  return { s3: new S3Client({ ...config, forcePathStyle: true }), sqs: new SQSClient(config) };
}

/** A folder that is gone after the test. */
export function testDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'local-cloud-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** Plain HTTP, for what the SDK would never send. */
export function raw(
  method: string,
  url: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (bytes: Buffer) => parts.push(bytes));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts).toString(),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}
