/** The file that npx runs, also on a Node that cannot run TypeScript. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../bin/polyprompt.js', import.meta.url));
const OLD_NODE = [
  '--no-strip-types',
  '--import',
  `data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } })`,
];

for (const [name, flags] of [
  ['this Node', []],
  ['an old Node', OLD_NODE],
] as const) {
  it(`runs the command on ${name}, with its output and exit code`, () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [...flags, BIN, ...args], { encoding: 'utf8' });
    const version = expect.stringMatching(/^\d+\.\d+\.\d+\n$/);
    expect(run('--version')).toMatchObject({ status: 0, stdout: version, stderr: '' });
    const refused = run('backbone', 'show', 'nowhere at all');
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^polyprompt: nowhere at all is not a model folder/);
  });
}
