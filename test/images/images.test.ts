/** What the images are made by, as far as it can be tried without Docker: every path is there, every script works. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { prune } from '../../tools/image/prune.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOCKERFILES = ['functions/api/Dockerfile', 'functions/tuner/Dockerfile'];
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-images-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Instructions with their arguments; lines that go on are joined. */
function instructions(file: string): { readonly name: string; readonly text: string }[] {
  const lines = readFileSync(join(ROOT, file), 'utf8')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  return lines.filter(Boolean).map((line) => {
    const [, name = '', text = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    return { name, text };
  });
}

describe.each(DOCKERFILES)('%s', (file) => {
  const all = instructions(file);
  const KNOWN = 'ARG CMD COPY ENV EXPOSE FROM HEALTHCHECK RUN USER VOLUME WORKDIR'.split(' ');

  it('has nothing but instructions, stages that exist, and a user that is not root', () => {
    expect(all.filter(({ name }) => !KNOWN.includes(name))).toEqual([]);
    const stages = new Set<string>();
    const external = /^(node:24-slim|\$\{CUDA_IMAGE\})$/;
    for (const { text } of all.filter(({ name }) => name === 'FROM')) {
      const [, base = '', stage = ''] = /^(\S+) AS (\S+)$/.exec(text) ?? [];
      expect(stages.has(base) || external.test(base)).toBe(true);
      stages.add(stage);
    }
    for (const { text } of all.filter(({ name }) => name === 'COPY')) {
      const [, from] = /--from=(\S+)/.exec(text) ?? [];
      expect(from === undefined || stages.has(from)).toBe(true);
    }
    const last = all.slice(all.findLastIndex(({ name }) => name === 'FROM'));
    expect(last.find(({ name }) => name === 'USER')?.text).not.toBe('root');
    expect(last.some(({ name }) => name === 'CMD')).toBe(true);
  });

  it('copies and runs what the project has, and what reaches the builder', () => {
    const sources = all
      .filter(({ name, text }) => name === 'COPY' && !text.includes('--from='))
      .flatMap(({ text }) => text.split(' ').slice(0, -1));
    const sent = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const source of sources) {
      expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
      expect(sent).toContain(source);
    }
    const text = all.map((each) => each.text).join('\n');
    const scripts = text.match(/(functions|packages|tools)\/[\w/-]+\.(ts|sh)/g) ?? [];
    expect(scripts.length).toBeGreaterThan(1);
    for (const script of scripts)
      expect([script, existsSync(join(ROOT, script))]).toEqual([script, true]);
  });
});

it('compose.yaml builds stages that exist', () => {
  const text = readFileSync(join(ROOT, 'compose.yaml'), 'utf8');
  const files = [...text.matchAll(/dockerfile: (\S+)/g)].map(([, file]) => file!);
  expect(files.toSorted()).toEqual(DOCKERFILES);
  for (const [, target] of text.matchAll(/target: (\S+)/g)) {
    const stages = instructions(DOCKERFILES[0]!).filter(({ name }) => name === 'FROM');
    expect(stages.some((stage) => stage.text.endsWith(` AS ${target}`))).toBe(true);
  }
});

describe('prune', () => {
  const install = () => {
    const modules = mkdtempSync(join(folder, 'modules-'));
    const files = ['darwin/arm64', 'linux/arm64', 'linux/x64', 'win32/x64'].map(
      (system) => `onnxruntime-node/bin/napi-v6/${system}/onnxruntime_binding.node`,
    );
    files.push(
      'tokenizers/index.js',
      ...['linux-x64-gnu', 'linux-x64-musl', 'linux-arm64-gnu', 'darwin-arm64'].map(
        (system) => `tokenizers/tokenizers.${system}.node`,
      ),
    );
    for (const file of files) {
      mkdirSync(join(modules, dirname(file)), { recursive: true });
      writeFileSync(join(modules, file), '');
    }
    return modules;
  };

  it('leaves what runs on one architecture of Linux', () => {
    const modules = install();
    prune(modules, 'arm64');
    expect(globSync('**/*.{node,js}', { cwd: modules }).toSorted()).toEqual([
      'onnxruntime-node/bin/napi-v6/linux/arm64/onnxruntime_binding.node',
      'tokenizers/index.js',
      'tokenizers/tokenizers.linux-arm64-gnu.node',
    ]);
  });

  it('fails where nothing would be left', () => {
    expect(() => prune(install(), 'riscv64')).toThrow(
      '0 of the 2 native packages for linux/riscv64',
    );
  });
});

describe('check-cuda.sh', () => {
  const script = join(ROOT, 'tools/image/check-cuda.sh');
  /** Runs with programs that answer as a library and a system would. */
  const check = (needed: readonly string[], known: readonly string[]) => {
    const bin = mkdtempSync(join(folder, 'bin-'));
    const program = (name: string, lines: readonly string[]) => {
      writeFileSync(join(bin, name), `#!/bin/sh\ncat <<'EOF'\n${lines.join('\n')}\nEOF\n`);
      chmodSync(join(bin, name), 0o755);
    };
    program(
      'readelf',
      needed.map((name) => ` 0x0000000000000001 (NEEDED)   Shared library: [${name}]`),
    );
    program(
      'ldconfig',
      known.map((name) => `\t${name} (libc6,x86-64) => /usr/lib/${name}`),
    );
    try {
      const env = { PATH: `${bin}:${process.env.PATH}` };
      return execFileSync(script, ['provider.so'], { env, encoding: 'utf8', stdio: 'pipe' });
    } catch (error) {
      return String((error as { stderr: string }).stderr);
    }
  };
  const NEEDED = ['libcublasLt.so.12', 'libcudnn.so.9', 'libstdc++.so.6'];

  it('passes a base image that has the libraries', () => {
    expect(check(NEEDED, ['libcudnn.so.9', 'libcublasLt.so.12'])).toBe(
      'CUDA libraries found: libcublasLt.so.12 libcudnn.so.9\n',
    );
  });

  it('leaves the driver to the host', () => {
    const needed = [...NEEDED, 'libcuda.so.1', 'libnvidia-ml.so.1'];
    expect(check(needed, NEEDED)).toBe('CUDA libraries found: libcublasLt.so.12 libcudnn.so.9\n');
    expect(check(['libcuda.so.1'], NEEDED)).toContain('names no CUDA libraries');
  });

  it('fails on another major version, saying what is needed', () => {
    expect(check(NEEDED, ['libcudnn.so.9', 'libcublasLt.so.13'])).toMatch(
      /lacks libcublasLt.so.12, which provider.so needs; build with another .*CUDA_IMAGE/,
    );
  });

  it('fails on a file that is no CUDA provider', () => {
    expect(check(['libstdc++.so.6'], [])).toContain('names no CUDA libraries');
  });
});
