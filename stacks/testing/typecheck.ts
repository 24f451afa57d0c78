/**
 * `npm run infra:typecheck`: sst.config.ts and stacks/ against the types of SST's components, which are
 * sources that stricter settings than those of tsconfig.infra.json would find errors in.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { platformMissing } from './platform.ts';

const ROOT = join(import.meta.dirname, '../..');
const missing = platformMissing();

if (missing !== undefined) {
  process.stdout.write(`the stacks are not type-checked: ${missing}\n`);
} else {
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  const { status } = spawnSync(tsc, ['-p', 'tsconfig.infra.json'], { cwd: ROOT, stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
