/** What the documents name is there: files and headings behind links, npm scripts, settings, commands of the CLI. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { program } from '../packages/cli/src/run.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const IGNORED = ['node_modules', '.sst', '.scratch', '.polyprompt', 'dist'];
const find = (pattern: string) =>
  globSync(pattern, { cwd: ROOT, exclude: (path) => IGNORED.some((part) => path.includes(part)) });

const DOCUMENTS = [...find('*.md'), ...find('{docs,packages,functions,models,examples}/**/*.md')];
const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
/** Whatever reads an environment variable of ours. */
const settings = new Set(
  find('{packages,functions,bench,test,stacks,tools}/**/*.ts')
    .filter((path) => !path.endsWith('.test.ts'))
    .flatMap((path) => read(path).match(/POLYPROMPT_[A-Z0-9_]+/g) ?? []),
);

/** As GitHub names the anchor of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

function brokenLinks(document: string): string[] {
  const text = read(document).replaceAll(/```[\s\S]*?```|`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^(https?|mailto):/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? join(ROOT, document) : resolve(ROOT, dirname(document), path);
      if (!existsSync(target)) return true;
      if (anchor === undefined || statSync(target).isDirectory()) return false;
      const headings = readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm);
      return ![...headings].some(([, heading = '']) => anchorOf(heading) === anchor);
    });
}

/** Command lines of the CLI, in blocks and between backticks, with what they have that the CLI has not. */
function wrongCommands(document: string): string[] {
  const code = [...read(document).matchAll(/```[a-z]*\n([\s\S]*?)```|`([^`]+)`/g)]
    .map(([, block, inline]) => block ?? inline?.replaceAll(/\n\s*/g, ' ') ?? '')
    .flatMap((text) => text.replaceAll(/\\\n/g, ' ').split('\n'));
  return code
    .map((line) => /(?:^|[ |])polyprompt (?:-- )?(\w[^#|&;]*)/.exec(line)?.[1]?.trim())
    .filter((line) => line !== undefined)
    .filter((line) => {
      const words = line.split(/\s+/);
      let command = program();
      while (command.commands.length > 0) {
        const next = command.commands.find((each) => each.name() === words[0]);
        if (next === undefined) return true;
        command = next;
        words.shift();
      }
      const known = command.options.map(({ long }) => long);
      return words.some((word) => word.startsWith('--') && !known.includes(word.split('=')[0]));
    });
}

describe.each(DOCUMENTS)('%s', (document) => {
  it('links to what is there', () => {
    expect(brokenLinks(document)).toEqual([]);
  });

  it('names scripts and settings that are there', () => {
    const text = read(document);
    const run = [...text.matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)].map(([, name = '']) => name);
    expect(run.filter((name) => !scripts.includes(name))).toEqual([]);
    const named = text.match(/POLYPROMPT_[A-Z0-9_]*[A-Z0-9]/g) ?? [];
    expect(named.filter((name) => !settings.has(name))).toEqual([]);
  });

  it('starts TypeScript with a Node.js that runs it, which the one on the PATH may not', () => {
    const text = read(document).replaceAll(/`[^`\n]*` \(Node 24/g, '');
    expect(text.match(/(?<!npx |\.bin\/)\bnode [\w./-]+\.ts/g) ?? []).toEqual([]);
  });

  it('shows commands and options that the CLI has', () => {
    expect(wrongCommands(document)).toEqual([]);
  });
});
