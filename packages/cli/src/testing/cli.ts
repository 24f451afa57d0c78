/** For tests: the real command as a child process, and a small world for it to work on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type TinyBackboneOptions, writeTinyBackbone } from '@polyprompt/backbone/testing';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } });
}

export async function finished(child: ChildProcess): Promise<Finished> {
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    exit,
  ]);
  return { code, stdout, stderr };
}

/** Runs a command line to its end. */
export function cli(
  args: readonly string[],
  { input = '', env = {} }: { input?: string | Buffer; env?: Record<string, string> } = {},
): Promise<Finished> {
  const child = start(args, env);
  child.stdin!.end(input);
  return finished(child);
}

export const WORDS = ['rain', 'snow', 'wind', 'sun', 'bread', 'soup', 'rice', 'cake', 'the', 'is'];

/** Different rows about weather and food, which a tiny backbone can learn from. */
export function rows(count: number): { text: string; label: string; language: string }[] {
  return Array.from({ length: count }, (_, i) => {
    const food = i % 2;
    const word = WORDS[food * 4 + (Math.floor(i / 2) % 4)];
    const bits = (Math.floor(i / 8) + 2).toString(2);
    const filler = [...bits].slice(1).map((bit) => (bit === '0' ? 'the' : 'is'));
    return {
      text: [...filler, word].join(' '),
      label: food ? 'food' : 'weather',
      language: i % 4 < 2 ? 'en' : 'de',
    };
  });
}

export function jsonLines(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}

const TINY = { family: 'roberta', words: WORDS, std: 0.2, hidden: 32, heads: 4 } as const;

/** A folder with a model and ways to write files; `remove` it in the end. */
export function makeWorld() {
  const dir = mkdtempSync(join(tmpdir(), 'polyprompt-cli-'));
  const path = (...names: string[]) => join(dir, ...names);
  return {
    path,
    file(name: string, content: string | Buffer): string {
      writeFileSync(path(name), content);
      return path(name);
    },
    backbone(name: string, options: Partial<TinyBackboneOptions> = {}): string {
      writeTinyBackbone(path(name), { ...TINY, ...options });
      return path(name);
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Settings with which a tiny model learns `rows` in a moment: 240 steps. */
export const QUICK =
  '--length 3 --lr 0.05 --epochs 30 --batch-size 8 --patience 0 --threads 1'.split(' ');
