/**
 * IAM for the embedded store: a proxy in front of S3 and SQS that lets through what a role may do, answers 403 to
 * the rest, and keeps both lists.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Right by right as `Stack.rights` gives them: `s3:GetObject s3:StateBucket/tenants/*`. */
export type Rights = readonly string[];

interface Ask {
  readonly action: string;
  /** As in rights. */
  readonly resource: string;
}

export interface GuardedStore {
  readonly endpoint: string;
  /** What was asked for in vain. */
  readonly denied: ReadonlySet<string>;
  /** Rights that something was asked by. */
  readonly used: ReadonlySet<string>;
  close(): Promise<void>;
}

const DENIED =
  '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no right</Message></Error>';

export async function guardStore(target: string, rights: Rights): Promise<GuardedStore> {
  const denied = new Set<string>();
  const used = new Set<string>();
  const { hostname, port } = new URL(target);
  const server = createServer(async (incoming, outgoing) => {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of incoming) pieces.push(piece as Buffer);
    } catch {
      // The client has left in the middle of its request; so the store never hears of it.
      return;
    }
    const body = Buffer.concat(pieces);
    const refused = asksOf(incoming, body).filter((ask) => {
      const right = rights.find((each) => covers(each, ask));
      if (right !== undefined) used.add(right);
      return right === undefined;
    });
    if (refused.length > 0) {
      for (const { action, resource } of refused) denied.add(`${action} ${resource}`);
      outgoing.writeHead(403, { 'content-type': 'application/xml' }).end(DENIED);
      return;
    }
    pass(incoming, body, outgoing);
  });

  // The host stays as the client wrote it, because it has signed it.
  function pass({ method, url, headers }: IncomingMessage, body: Buffer, outgoing: ServerResponse) {
    const forwarded = request({ hostname, port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    forwarded.end(body);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    denied,
    used,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function covers(right: string, { action, resource }: Ask): boolean {
  const [allowed, pattern = ''] = right.split(' ');
  if (allowed !== action) return false;
  return pattern.endsWith('*') ? resource.startsWith(pattern.slice(0, -1)) : resource === pattern;
}

/** What IAM would be asked, of the operations that the product uses. */
function asksOf({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Ask[] {
  const target = headers['x-amz-target'];
  if (typeof target === 'string') {
    const { QueueUrl = '' } = JSON.parse(body.toString()) as { QueueUrl?: string };
    const queue = new URL(QueueUrl, 'http://none').pathname.split('/').at(-1);
    return [{ action: `sqs:${target.split('.').at(-1)}`, resource: `sqs:${queue}` }];
  }
  const { pathname, searchParams } = new URL(url, 'http://none');
  const [, bucket = '', ...segments] = decodeURIComponent(pathname).split('/');
  const key = segments.join('/');
  const ask = (action: string, of = key): Ask => ({
    action: `s3:${action}`,
    resource: `s3:${bucket}${of === '' ? '' : `/${of}`}`,
  });
  if (key === '') {
    if (method === 'POST' && searchParams.has('delete')) {
      const keys = [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, found]) => found!);
      return keys.map((each) => ask('DeleteObject', each));
    }
    if (method === 'PUT') return [ask('CreateBucket')];
    return [ask(searchParams.has('uploads') ? 'ListBucketMultipartUploads' : 'ListBucket')];
  }
  switch (method) {
    case 'GET':
    case 'HEAD':
      return [ask('GetObject')];
    case 'PUT':
    case 'POST':
      return [ask('PutObject')];
    case 'DELETE':
      return [ask(searchParams.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject')];
    default:
      return [ask(method)];
  }
}
