/** The bundle of `npm run build:lambda`, in a folder of its own, where none of the project's packages can be found. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Architecture, bundleApi } from '../../tools/bundle/bundle.ts';
import { recorded, startCloud } from './setup.ts';

const { folder, env, secret, backboneDir } = await startCloud();
const out = join(folder, 'bundle');
const arch = process.arch as Architecture;
const isLinux = process.platform === 'linux';
const MB = 1024 ** 2;

interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

async function load() {
  const home = join(folder, 'elsewhere');
  mkdirSync(home, { recursive: true });
  for (const file of ['runtime.ts', 'bundle-child.ts'])
    cpSync(join(import.meta.dirname, file), join(home, file));
  writeFileSync(join(home, 'package.json'), '{"type":"module"}');
  const child = fork(join(home, 'bundle-child.ts'), [join(out, 'lambda.mjs')], {
    cwd: home,
    env: { ...env, PATH: '/usr/bin:/bin', POLYPROMPT_BACKBONE: 'tiny', NODE_PATH: '' },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`the bundle ended with code ${code}`);
  });
  gone.catch(() => undefined);
  const next = async <T>() => (await Promise.race([once(child, 'message'), gone]))[0] as T;
  expect(await next()).toBe('loaded');
  return async (event: object): Promise<Answer> => {
    child.send(event);
    return next();
  };
}

describe.skipIf(!isLinux)('the bundle (for Linux, and tried there)', () => {
  it('holds what one architecture needs and is smaller than Lambda allows', async () => {
    const parts = await bundleApi({ out, arch, backbone: backboneDir });
    const size = (name: string) => parts.find((part) => part.name === name)?.bytes ?? 0;
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(250 * MB);
    expect(size('node_modules/onnxruntime-node')).toBeLessThan(60 * MB);
    expect(parts.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['lambda.mjs', 'inference-worker.mjs', 'check-worker.mjs']),
    );
  });

  it('answers, infers and checks data without the project around it', async () => {
    const ask = await load();
    const answer = await ask(recorded('infer', secret));
    expect([answer.statusCode, answer.text]).toEqual([200, expect.stringContaining('"weather"')]);
    expect(answer.headers['x-prompt-version']).toBe('ft:tiny:acme:topics:1');
    const file = JSON.parse((await ask(recorded('upload', secret))).text);
    const body = JSON.stringify({ file_id: file.id, task: 'text-classification' });
    const headers = { 'content-type': 'application/json' };
    const report = await ask(
      recorded('infer', secret, { rawPath: '/v1/files/validate', body, headers }),
    );
    expect([report.statusCode, JSON.parse(report.text)]).toMatchObject([
      200,
      { valid: true, examples: 20 },
    ]);
  });

  it('has the libraries of the other architecture when asked', async () => {
    const other = arch === 'x64' ? 'arm64' : 'x64';
    const parts = await bundleApi({ out: `${out}-other`, arch: other, backbone: undefined });
    expect(parts.some(({ name }) => name.startsWith('models'))).toBe(false);
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(25 * MB);
  });
});
