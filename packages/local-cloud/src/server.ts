/** Start and stop: locks the folder, opens the database, sweeps what a crash left, listens on loopback. */
import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { type Clock, systemClock } from '@polyprompt/clock';
import { BlobStore } from './blobs.ts';
import { type Credentials, generateCredentials, loadCredentials } from './credentials.ts';
import { Database, type Durability } from './db.ts';
import { LocalCloudError } from './errors.ts';
import { Faults } from './faults.ts';
import { Gateway } from './gateway.ts';
import { type DirLock, lockDir } from './lock.ts';
import { sweepUploads } from './s3/multipart.ts';
import { ObjectStore } from './s3/store.ts';
import { SqsService } from './sqs/service.ts';

const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];
const MAX_SKEW_MS = 15 * 60_000;
const ABANDONED_UPLOAD_MS = 7 * 24 * 3600_000;
/** Longer than clients keep idle connections, so that they never reuse one that is just being closed. */
const KEEP_ALIVE_MS = 65_000;

export interface LocalCloudOptions {
  /** Folder of the state, created when missing; `:memory:` keeps everything in memory. */
  readonly dir: string;
  /** 0 picks a free port. @default 0 */
  readonly port?: number;
  /** Loopback only. @default '127.0.0.1' */
  readonly host?: string;
  /** @default the key pair in `credentials.json` of the folder, made at its first start */
  readonly credentials?: Credentials;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default none strike */
  readonly faults?: Faults;
  /** @default 'full' */
  readonly durability?: Durability;
  /** Accepted difference between a signature's time and the clock, in milliseconds. @default 15 minutes, as AWS */
  readonly maxSkewMs?: number;
  /** Told about internal failures (each also answers 500). @default console.error */
  readonly onError?: (error: unknown) => void;
}

export interface LocalCloud {
  /** `http://127.0.0.1:<port>`, for both services. */
  readonly endpoint: string;
  readonly s3Endpoint: string;
  readonly sqsEndpoint: string;
  readonly credentials: Credentials;
  readonly faults: Faults;
  /** Ends long polls, cuts other open requests, and closes the database. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts S3 and SQS on one loopback port over one folder.
 * @throws LocalCloudError `not_loopback`, `dir_in_use`, `bad_credentials_file`; system errors such as EADDRINUSE.
 */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const {
    port = 0,
    host = '127.0.0.1',
    clock = systemClock,
    faults = new Faults(),
    durability = 'full',
  } = options;
  if (!LOOPBACK.includes(host)) {
    throw new LocalCloudError(
      'not_loopback',
      `host "${host}" is not loopback: use one of ${LOOPBACK.join(', ')}`,
    );
  }
  const dir = options.dir === ':memory:' ? null : resolve(options.dir);
  if (dir !== null) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const lock = dir === null ? undefined : lockDir(dir);
  let db: Database | undefined;
  try {
    const credentials =
      options.credentials ?? (dir === null ? generateCredentials() : loadCredentials(dir));
    db = new Database(dir, durability);
    const store = new ObjectStore(
      db,
      new BlobStore(dir === null ? null : join(dir, 'blobs')),
      clock,
    );
    sweepUploads(store, clock.now() - ABANDONED_UPLOAD_MS);
    sweepOrphans(store);
    const gateway = new Gateway({
      store,
      sqs: new SqsService(db, clock, faults),
      clock,
      faults,
      credentials,
      maxSkewMs: options.maxSkewMs ?? MAX_SKEW_MS,
      onError: options.onError ?? console.error,
    });
    const { endpoint, stop } = await listen(gateway, host, port);
    lock?.announce(endpoint);
    const close = closer(stop, db, lock);
    return { endpoint, s3Endpoint: endpoint, sqsEndpoint: endpoint, credentials, faults, close };
  } catch (error) {
    db?.close();
    lock?.release();
    throw error;
  }
}

async function listen(
  gateway: Gateway,
  host: string,
  port: number,
): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  const closing = new AbortController();
  const running = new Set<Promise<void>>();
  const handle = (incoming: IncomingMessage, response: ServerResponse) => {
    const work = gateway
      .handle(incoming, response, closing.signal)
      .finally(() => running.delete(work));
    running.add(work);
  };
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, handle);
  // Without this listener Node would invite every upload, also one whose condition fails already.
  server.on('checkContinue', handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    endpoint: `http://${name}:${address.port}`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      closing.abort();
      server.closeAllConnections();
      await closed;
      await Promise.allSettled(running);
    },
  };
}

function closer(
  stop: () => Promise<void>,
  db: Database,
  lock: DirLock | undefined,
): () => Promise<void> {
  let closed: Promise<void> | undefined;
  return () => {
    closed ??= stop().then(() => {
      db.close();
      lock?.release();
    });
    return closed;
  };
}

/** Also drops bodies whose rows nothing names; both are what a crash between two steps leaves. */
function sweepOrphans(store: ObjectStore): void {
  store.db.run(
    'DELETE FROM chunks WHERE body NOT IN (SELECT body FROM objects UNION ALL SELECT body FROM parts)',
  );
  const rows = store.db.all<{ file: string }>('SELECT file FROM chunks WHERE file IS NOT NULL');
  store.blobs.sweep(new Set(rows.map(({ file }) => file)));
}
