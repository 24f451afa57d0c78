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
const OFFLINE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|no such host|network is unreachable/i;

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

function install(): number {
  if (platformMissing() === undefined) return 0;
  rmSync(DONE, { force: true });
  process.stdout.write('installing SST’s components under .sst/platform, about a minute\n');
  const registry = process.env.npm_config_registry;
  const run = spawnSync(join(ROOT, 'node_modules/.bin/sst'), ['install', '--stage', 'checks'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`,
      // Neither Pulumi nor bun is needed here, and neither comes from the registry.
      SST_SKIP_DEPENDENCY_CHECK: '1',
      SST_NO_BUN: '1',
      SST_TELEMETRY_DISABLED: '1',
      // npm tells its scripts which registry it uses; SST looks elsewhere.
      ...(registry ? { NPM_REGISTRY: registry } : {}),
      AWS_EC2_METADATA_DISABLED: 'true',
      // Where it would keep programs that it downloads.
      XDG_CONFIG_HOME: join(ROOT, '.sst/config'),
    },
  });
  if (run.status === 0) {
    writeFileSync(DONE, wanted());
    return 0;
  }
  const said = `${run.stdout}${run.stderr}`.trim();
  if (OFFLINE.test(said) && !process.env.CI) {
    process.stdout.write(`the npm registry is out of reach; the stacks stay unchecked\n${said}\n`);
    return 0;
  }
  process.stderr.write(`${said}\nsst install ended with ${run.status ?? run.error}\n`);
  return 1;
}

if (import.meta.main) process.exitCode = install();
