/**
 * The SDK clients and the rules for talking through them.
 *
 * The SDK retries throttling, 5xx and network failures with jittered backoff; we teach it to retry 409 too,
 * which S3 answers when two conditional writes meet ("retry"). So by the time an error arrives here it is
 * either an answer (404, 412, ...) or a store that has been down for a while. The one trap: an answer may be
 * the answer to a retry, so 412 can mean "your own first attempt succeeded". Every conditional write
 * therefore reads back before it believes a 412 (documents.ts, upload.ts).
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { type Clock, systemClock } from '@polyprompt/clock';
import { StorageError } from './errors.ts';

export interface StorageOptions {
  readonly bucket: string;
  /** @default 'us-east-1' */
  readonly region?: string;
  /** Base URL of both services; leave out for AWS. */
  readonly endpoint?: string;
  /** @default the SDK's credential chain (environment, profile, role) */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Tries per call, the first one included. @default 8 */
  readonly maxAttempts?: number;
  /** Without a byte from the store, a try has failed; longer than a queue may be waited on (20 s). @default 60 000 */
  readonly idleTimeoutMs?: number;
  /** @default systemClock */
  readonly clock?: Clock;
}

export interface Context {
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly bucket: string;
  readonly clock: Clock;
  /** An id that no other write, of any process, has ever had. */
  uniqueId(): string;
}

const MAX_ATTEMPTS = 8;
const IDLE_TIMEOUT_MS = 60_000;
const CONNECTION_TIMEOUT_MS = 10_000;

export function createContext(options: StorageOptions): Context {
  const {
    bucket,
    region = 'us-east-1',
    endpoint,
    credentials,
    maxAttempts = MAX_ATTEMPTS,
    idleTimeoutMs = IDLE_TIMEOUT_MS,
    clock = systemClock,
  } = options;
  const common = {
    region,
    maxAttempts,
    requestHandler: { socketTimeout: idleTimeoutMs, connectionTimeout: CONNECTION_TIMEOUT_MS },
    ...(endpoint === undefined ? {} : { endpoint }),
    // A copy, because the SDK writes into what it is given.
    ...(credentials ? { credentials: { ...credentials } } : {}),
  };
  const s3 = new S3Client({
    ...common,
    // Every put names its checksum; a default one would end up in presigned URLs, computed over no body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    forcePathStyle: endpoint !== undefined,
  });
  s3.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        if (errorName(error) === 'ConditionalRequestConflict')
          Object.assign(error as object, { $retryable: { throttling: false } });
        throw error;
      }
    },
    { step: 'deserialize', priority: 'high', name: 'retryConditionalConflict' },
  );
  const process = randomBytes(9).toString('base64url');
  let count = 0;
  return {
    s3,
    sqs: new SQSClient(common),
    bucket,
    clock,
    uniqueId: () => `${process}.${(++count).toString(36)}`,
  };
}

export function errorName(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}

export function isMissing(error: unknown): boolean {
  return ['NoSuchKey', 'NotFound'].includes(errorName(error) ?? '');
}

export function isPreconditionFailed(error: unknown): boolean {
  return errorName(error) === 'PreconditionFailed';
}

/** HTTP status of an SDK error. */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata
    ?.httpStatusCode;
}

/** Wraps what a module does not handle itself. Aborts and our own errors pass unchanged. */
export function storageError(error: unknown, doing: string, key: string): unknown {
  if (error instanceof StorageError || errorName(error) === 'AbortError') return error;
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const status = statusOf(error);
  if (status === 401 || status === 403) {
    return new StorageError(
      'denied',
      `${doing} ${key} was denied (${reason}); check the credentials and their permissions`,
      { key, cause: error },
    );
  }
  return new StorageError(
    'unavailable',
    `${doing} ${key} failed (${reason}); the store may be down, try again later`,
    { key, cause: error },
  );
}

const BACKOFF_BASE_MS = 10;
const BACKOFF_CAP_MS = 1000;

/** Full jitter: a random wait under an exponential ceiling, so that contenders spread out. */
export function backoff(attempt: number): Promise<void> {
  return sleep(Math.random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** attempt));
}
