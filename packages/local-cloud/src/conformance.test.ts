/**
 * The shared conformance script, with the real SDK, against this server. It must fail in exactly the checks
 * that the README lists as left out. It runs in four processes because most of its time is waiting.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { testCloud, testDir } from './test-clients.ts';

const PACKAGE = resolve(import.meta.dirname, '..');
const SCRIPT = resolve(PACKAGE, '../../../shared/s3sqs-conformance.mjs');

const SLICES = ['^s3', 'visibility|dlq', 'long poll|delay|batch'];

/** Names of the checks in the README's table of what is left out. */
function leftOut(): string[] {
  const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
  return [...readme.matchAll(/^\| `((?:s3|sqs)\.[^`]+)` \|/gm)].map((match) => match[1]!).sort();
}

/** A folder in which the script finds its packages; the one for presigned POST, which we do not serve, is a stub. */
function scriptFolder(): string {
  const dir = testDir();
  const scope = join(dir, 'node_modules/@aws-sdk');
  mkdirSync(scope, { recursive: true });
  const require = createRequire(import.meta.url);
  for (const name of ['client-s3', 'client-sqs', 'lib-storage', 's3-request-presigner']) {
    symlinkSync(dirname(require.resolve(`@aws-sdk/${name}/package.json`)), join(scope, name));
  }
  mkdirSync(join(scope, 's3-presigned-post'));
  writeFileSync(
    join(scope, 's3-presigned-post/index.js'),
    "exports.createPresignedPost = () => { throw new Error('left out'); };",
  );
  return dir;
}

describe.skipIf(!existsSync(SCRIPT))(
  'conformance script (skipped where ../shared is absent)',
  () => {
    // The script measures waiting times; a machine under load may need a second try.
    it('fails in nothing but what the README leaves out', {
      retry: 2,
      timeout: 180_000,
    }, async () => {
      const { endpoint, credentials } = await testCloud({ dir: testDir() });
      const cwd = scriptFolder();
      const target = [
        '--s3',
        endpoint,
        '--sqs',
        endpoint,
        '--key',
        credentials.accessKeyId,
        '--secret',
        credentials.secretAccessKey,
      ];
      const run = async (...args: string[]) => {
        const { stdout } = await promisify(execFile)(
          process.execPath,
          [SCRIPT, ...target, ...args],
          { cwd },
        );
        return stdout.split('\n');
      };
      const lines = (
        await Promise.all([
          ...SLICES.map((slice) => run('--only', slice)),
          run('--skip', SLICES.join('|')),
        ])
      ).flat();
      const failed = lines
        .filter((line) => line.startsWith('FAIL '))
        .map((line) => line.slice('FAIL '.length).split(' :: ')[0]!);
      expect(failed.sort()).toEqual(leftOut());
      expect(lines.filter((line) => line.startsWith('ok ')).length).toBeGreaterThanOrEqual(59);
    });
  },
);
