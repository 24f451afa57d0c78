/** For tests: the routes of the hub that pulling uses, on loopback, with the ways in which they fail. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = '1'.repeat(40);
/** From this size on, files are kept apart from Git, as the hub does. */
const LARGE = 10_000;

export interface HubRepo {
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Branches and tags beside `main`, all at the one commit. */
  readonly revisions?: readonly string[];
  readonly gated?: boolean;
  /** Only for who has this token. */
  readonly token?: string;
}

export interface HubFaults {
  /** Bytes after which the next answers with content break off. */
  cuts: number[];
  /** Content that is sent in the place of a file's own, by path. */
  readonly altered: Map<string, Uint8Array>;
  /** Statuses of the next answers, whatever was asked. */
  statuses: number[];
  ignoreRanges: boolean;
}

export async function startHub(repos: Readonly<Record<string, HubRepo>>) {
  const requests: string[] = [];
  const faults: HubFaults = { cuts: [], altered: new Map(), statuses: [], ignoreRanges: false };
  const server = createServer((request, response) => {
    const range = request.headers.range;
    requests.push(`${decodeURIComponent(request.url!)}${range ? ` ${range}` : ''}`);
    answer(repos, faults, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    /** Path and range of every request. */
    requests,
    faults,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function answer(
  repos: Readonly<Record<string, HubRepo>>,
  faults: HubFaults,
  request: IncomingMessage,
  response: ServerResponse,
): undefined {
  const refuse = (status: number, code: string): undefined => {
    response.writeHead(status, { 'x-error-code': code, 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: code }));
  };
  const status = faults.statuses.shift();
  if (status !== undefined) return refuse(status, 'Fault');
  const path = decodeURIComponent(new URL(request.url!, 'http://hub').pathname);
  const [, name = '', what = '', revision = '', file = ''] =
    /^\/(?:api\/models\/|cdn\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/(.+?)(?:\/([^/]+\.\w+))?$/.exec(
      path,
    ) ?? [];
  const repo = repos[name];
  const { authorization } = request.headers;
  if (repo === undefined) return refuse(authorization ? 404 : 401, 'RepoNotFound');
  if (repo.token !== undefined && authorization !== `Bearer ${repo.token}`) {
    return repo.gated
      ? refuse(authorization ? 403 : 401, 'GatedRepo')
      : refuse(401, 'RepoNotFound');
  }
  if (!['main', COMMIT, ...(repo.revisions ?? [])].includes(revision)) {
    return refuse(404, 'RevisionNotFound');
  }
  const json = (value: unknown): undefined => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  if (what === 'revision')
    return json({ _id: 'x', id: name, sha: COMMIT, lastModified: '2026-01-01T00:00:00Z' });
  if (what === 'tree')
    return json([
      { type: 'directory', path: 'onnx', size: 0, oid: '' },
      ...Object.entries(repo.files).map(([path, bytes]) => treeEntry(path, bytes)),
    ]);
  const bytes = repo.files[file];
  if (bytes === undefined) return refuse(404, 'EntryNotFound');
  if (bytes.length >= LARGE && !path.startsWith('/cdn/')) {
    response.writeHead(302, { location: `/cdn${path}`, 'x-linked-size': bytes.length });
    response.end();
    return;
  }
  sendBytes(faults.altered.get(file) ?? bytes, faults, request, response);
}

function sendBytes(
  bytes: Uint8Array,
  faults: HubFaults,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const [, from = '0', to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const probe = request.headers.range === 'bytes=0-0';
  const ranged = request.headers.range !== undefined && (probe || !faults.ignoreRanges);
  const start = ranged ? Number(from) : 0;
  const end = ranged && to ? Number(to) + 1 : bytes.length;
  response.writeHead(ranged ? 206 : 200, {
    etag: '"x"',
    'content-length': end - start,
    ...(ranged && { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
  });
  const cut = probe || bytes.length < LARGE ? undefined : faults.cuts.shift();
  if (cut === undefined) {
    response.end(bytes.subarray(start, end));
    return;
  }
  response.write(bytes.subarray(start, Math.min(end, start + cut)), () => {
    // Time for the written bytes to arrive: a reset discards what its reader has not taken.
    setTimeout(() => response.destroy(), 20);
  });
}

function treeEntry(path: string, bytes: Uint8Array) {
  const git = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  const entry = { type: 'file', path, size: bytes.length, oid: git };
  if (bytes.length < LARGE) return entry;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return {
    ...entry,
    oid: '0'.repeat(40),
    lfs: { oid: sha256, size: bytes.length, pointerSize: 130 },
  };
}
