/** The arrows between packages go one way (docs/architecture.md), and only some know HTTP or AWS. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

/** What each workspace may import from the others, in its code (tests may use more). */
const ALLOWED: Record<string, readonly string[]> = {
  clock: [],
  safetensors: [],
  autodiff: [],
  contract: ['text'],
  'local-cloud': ['clock'],
  storage: ['clock'],
  text: [],
  tasks: ['text'],
  prompts: ['safetensors'],
  backbone: ['autodiff', 'safetensors', 'text'],
  serving: ['backbone', 'clock', 'prompts', 'tasks'],
  reproduce: ['autodiff', 'backbone', 'prompts', 'tasks', 'tuning'],
  tuning: ['autodiff', 'backbone', 'prompts', 'safetensors', 'tasks'],
  registry: ['backbone', 'clock', 'prompts', 'storage'],
  cli: ['backbone', 'contract', 'prompts', 'reproduce', 'registry', 'storage', 'tasks', 'tuning'],
  tuner: ['backbone', 'contract', 'prompts', 'registry', 'storage', 'tasks', 'tuning'],
  api: [
    'backbone',
    'clock',
    'contract',
    'local-cloud',
    'prompts',
    'registry',
    'serving',
    'storage',
    'tasks',
    'tuner',
  ],
};

const HTTP = /^(hono|@hono\/|node:http2?$|node:https$|openai$)/;
const HTTP_ALLOWED = ['api', 'tuner', 'contract', 'console', 'local-cloud', 'cli'];
const AWS = /^@aws-sdk\//;
const AWS_ALLOWED = ['storage', 'api', 'tuner'];

interface Import {
  readonly file: string;
  readonly workspace: string;
  readonly target: string;
}

const files = globSync('{packages,functions}/*/src/**/*.ts', { cwd: root });
const imports: Import[] = files
  .filter((file) => !/\.test\.ts$|\/testing\/|test-[\w-]+\.ts$/.test(file))
  .flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, to]) => to!);
    return targets.map((target) => ({ file, workspace: file.split('/')[1]!, target }));
  });

describe('the arrows between workspaces', () => {
  it('looks at real files', () => {
    expect(imports.length).toBeGreaterThan(200);
    expect(new Set(imports.map(({ workspace }) => workspace)).size).toBeGreaterThan(8);
  });

  it('go one way', () => {
    const wrong = imports.flatMap(({ file, workspace, target }) => {
      const other = /^@polyprompt\/([\w-]+)/.exec(target)?.[1];
      if (!other || other === workspace) return [];
      return ALLOWED[workspace]?.includes(other) ? [] : [`${file} imports ${target}`];
    });
    expect(wrong).toEqual([]);
  });

  it('do not bypass package entries', () => {
    const wrong = imports.filter(({ target }) => /\.\.\/(?:packages|functions)\//.test(target));
    expect(wrong).toEqual([]);
  });

  it('keep HTTP and AWS where they belong', () => {
    const strays = (pattern: RegExp, allowed: readonly string[]) =>
      imports
        .filter(({ workspace, target }) => pattern.test(target) && !allowed.includes(workspace))
        .map(({ file, target }) => `${file} imports ${target}`);
    expect(strays(HTTP, HTTP_ALLOWED)).toEqual([]);
    expect(strays(AWS, AWS_ALLOWED)).toEqual([]);
  });
});
