/**
 * `npm run infra:platform`: unpacks the sources of SST's components, which are inside of its binary, and
 * installs what they import, both under `.sst/platform`. Needs the npm registry and nothing else: no
 * account, no Pulumi, no Docker. Done once per version of SST.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const PLATFORM = join(ROOT, '.sst/platform');
/** Written when all is there; SST's own version file appears before the packages do. */
const DONE = join(PLATFORM, '.installed');
/** It takes a minute; a registry that does not answer must not hold a check up for ever. */
const TIMEOUT_MS = 600_000;
const PROBE_MS = 10_000;

/** Why the infrastructure cannot be checked, or undefined if it can. */
export function platformMissing(): string | undefined {
  return existsSync(DONE) && readFileSync(DONE, 'utf8') === wanted()
    ? undefined
    : 'SST’s components are not installed: npm run infra:platform';
}

/** What an installation is good for: this SST, with the providers that the configuration names. */
function wanted(): string {
  const read = (path: string) => readFileSync(join(ROOT, path));
  const files = [read('node_modules/sst/package.json'), read('sst.config.ts')];
  return createHash('sha256').update(Buffer.concat(files)).digest('hex');
}

async function install(): Promise<number> {
  if (platformMissing() === undefined) return 0;
  rmSync(DONE, { force: true });
  process.stdout.write('installing SST’s components under .sst/platform, about a minute\n');
  // npm knows which registry it uses; SST looks elsewhere, and finds nothing behind a slash.
  const told = spawnSync('npm', ['config', 'get', 'registry'], { cwd: ROOT, encoding: 'utf8' });
  const registry = told.stdout.trim().replace(/\/$/, '');
  const run = spawnSync(
    join(ROOT, 'node_modules/.bin/sst'),
    ['install', '--stage', 'checks', '--print-logs'],
    {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      env: {
        ...process.env,
        PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`,
        // Neither Pulumi nor bun is needed here, and neither comes from the registry.
        SST_SKIP_DEPENDENCY_CHECK: '1',
        SST_NO_BUN: '1',
        SST_TELEMETRY_DISABLED: '1',
        NPM_REGISTRY: registry,
        AWS_EC2_METADATA_DISABLED: 'true',
        // Where it would keep programs that it downloads.
        XDG_CONFIG_HOME: join(ROOT, '.sst/config'),
      },
    },
  );
  if (run.status === 0) {
    writeFileSync(DONE, wanted());
    return 0;
  }
  const said = `${run.stdout}${run.stderr}`.trim();
  // SST calls whatever goes wrong there "not found".
  if (!process.env.CI && !(await answers(registry))) {
    process.stdout.write(`${registry} is out of reach, so the stacks stay unchecked\n`);
    return 0;
  }
  process.stderr.write(`${said}\nsst install ended with ${run.status ?? run.error}\n`);
  return 1;
}

async function answers(registry: string): Promise<boolean> {
  const signal = AbortSignal.timeout(PROBE_MS);
  return fetch(`${registry}/sst`, { method: 'HEAD', signal }).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) process.exitCode = await install();
