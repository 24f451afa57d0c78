/**
 * npm run test:radosgw: a second opinion on what an S3 is, from Debian's radosgw (16.2, of 2021). The tests of
 * packages/storage run against it, and ../shared/s3sqs-conformance.mjs where that is there. What this radosgw is known
 * to do otherwise is listed here and left out; everything else must hold. Without radosgw it says so and ends.
 *
 * npm run test:radosgw -- --s3 URL: the same against a store that is there, of which everything must hold that can be
 * asked of any. Keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; buckets test-* are made, and left.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Cluster, missingPrograms, startCluster } from './cluster.ts';

const ROOT = join(import.meta.dirname, '../..');
const SCRIPT = join(ROOT, '../shared/s3sqs-conformance.mjs');

/** Tests of packages/storage, by their names: what can be asked of the embedded store alone. */
const EMBEDDED_ONLY = {
  'faults are struck by the embedded store alone': [
    'resumes a broken body',
    'before it resumes',
    'survives 5 % of all calls',
    'is recognised as done \\(',
    'that the store is down',
  ],
  'it has a clock of its own': ['aborts uploads that began'],
  'it names a key that is unknown in its own way': ['which call was denied'],
  'it has no queues': ['makes bucket and queue'],
};

const RADOSGW = {
  ...EMBEDDED_ONLY,
  'it compares If-Match with the quotes that the SDK sends and its own ETag lacks': [
    'is created once, read',
    'is made by upsert',
    'is refreshed only when',
    'never has an old state again',
    'racing (increments|acquisitions)',
    'two never hold one lease',
    'is recognised although others',
    'has an unknown outcome',
    'has one holder',
    'of a silent holder',
    'lives on by its heartbeat',
  ],
  'it completes uploads of several parts without an ETag': ['written as a stream of several parts'],
};

/** Checks of the conformance script, by their ids; STORAGE.md beside it has the reasons. */
const CHECKS_NOT_ASKED = [
  // Uploads are presigned PUTs, and nothing is copied.
  's3.copy object',
  's3.presigned POST ok',
  's3.presigned POST policy enforced',
];
const RADOSGW_CHECKS = [
  ...CHECKS_NOT_ASKED,
  's3.put-stream (aws-chunked trailer CRC32)',
  's3.checksum-crc32 stored+returned',
  's3.checksum-sha256 roundtrip',
  's3.checksum-wrong-crc32 -> 400',
  's3.cas-if-match',
  's3.cas-if-match-absent -> 404',
  's3.cas-counter: 8x10 increments, none lost',
  's3.cas-delete If-Match',
  's3.cas-complete-multipart If-None-Match',
  's3.keys 1025-byte key -> KeyTooLongError',
  's3.multipart create/parts/complete',
];

const { s3 } = parseArgs({ options: { s3: { type: 'string' } } }).values;
if (s3 === undefined) await testRadosgw();
else await testStore(s3);

async function testRadosgw(): Promise<void> {
  const missing = await missingPrograms();
  if (missing.length > 0) {
    console.log(
      `skipped: ${missing.join(', ')} not found; on Debian: apt-get install radosgw ceph-mon ceph-osd ceph-common`,
    );
    return;
  }
  console.log('starting radosgw');
  const cluster = await startCluster();
  try {
    await storageTests(cluster, RADOSGW);
    await conformance(cluster, RADOSGW_CHECKS);
  } finally {
    await cluster.stop();
  }
}

async function testStore(endpoint: string): Promise<void> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
    console.error('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be keys of the store');
    process.exitCode = 2;
    return;
  }
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  await storageTests({ endpoint, credentials }, EMBEDDED_ONLY);
  await conformance({ endpoint, credentials }, CHECKS_NOT_ASKED);
}

type Store = Pick<Cluster, 'endpoint' | 'credentials'>;

async function storageTests(
  { endpoint, credentials }: Store,
  leftOut: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  for (const [reason, names] of Object.entries(leftOut)) {
    console.log(`left out, since ${reason}:\n  ${names.join('\n  ')}`);
  }
  const others = `^(?!.*(${Object.values(leftOut).flat().join('|')}))`;
  const files = ['blobs', 'documents', 'leases', 'storage', 'keys', 'stale-uploads'].map(
    (name) => `packages/storage/src/${name}.test.ts`,
  );
  await run('vitest', ['run', ...files, '-t', others], {
    POLYPROMPT_TEST_S3: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
}

async function conformance(
  { endpoint, credentials }: Store,
  leftOut: readonly string[],
): Promise<void> {
  if (!existsSync(SCRIPT)) {
    console.log('skipped: there is no ../shared/s3sqs-conformance.mjs');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'polyprompt-conformance-'));
  try {
    const scope = join(folder, 'node_modules/@aws-sdk');
    mkdirSync(join(scope, 's3-presigned-post'), { recursive: true });
    for (const name of ['client-s3', 'client-sqs', 'lib-storage', 's3-request-presigner'])
      symlinkSync(join(ROOT, 'node_modules/@aws-sdk', name), join(scope, name));
    writeFileSync(
      join(scope, 's3-presigned-post/index.js'),
      "exports.createPresignedPost = () => { throw new Error('left out'); };",
    );
    const { accessKeyId, secretAccessKey } = credentials;
    const target = ['--s3', endpoint, '--key', accessKeyId, '--secret', secretAccessKey];
    const report = join(folder, 'report.json');
    await run(process.execPath, [SCRIPT, ...target, '--json', report], {}, folder).catch(() => {});
    judge(report, leftOut);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function judge(report: string, leftOut: readonly string[]): void {
  const { results } = JSON.parse(readFileSync(report, 'utf8')) as {
    readonly results: readonly { readonly id: string; readonly pass: boolean }[];
  };
  const failed = results.filter(({ pass }) => !pass).map(({ id }) => id);
  const unexpected = failed.filter((id) => !leftOut.includes(id));
  if (unexpected.length > 0) throw new Error(`the store fails in ${unexpected.join('; ')}`);
  console.log(`${results.length - failed.length} checks hold, ${failed.length} are known not to`);
}

/** @throws Error when it fails */
async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
  cwd: string = ROOT,
): Promise<void> {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${program} ended with code ${code}`);
}
