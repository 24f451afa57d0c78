/** The Node entry as a process of its own, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ENTRY = join(import.meta.dirname, '../node.ts');

export interface Spawned {
  readonly child: ChildProcess;
  readonly url: string;
  /** What it wrote for people. */
  readonly greeting: string;
  /** Sends a signal. @returns the exit code, null where the signal itself ended it */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Runs the entry to its end. */
export async function runEntry(
  env: Record<string, string>,
  ...args: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const { child, out, err } = start(env, args);
  const [code] = await once(child, 'exit');
  return { code, out: out(), err: err() };
}

/** Starts the service and waits until it can be asked. @throws Error with its log if it ends before */
export async function spawnService(env: Record<string, string>): Promise<Spawned> {
  const { child, out, err } = start(env, []);
  const exited = once(child, 'exit');
  const ready = new Promise<void>((resolve) => {
    child.stdout!.on('data', () => {
      if (out().includes('/docs') && out().endsWith('\n\n')) resolve();
    });
  });
  const ended = exited.then(([code]) => {
    throw new Error(`the service ended with ${code}: ${err()}`);
  });
  await Promise.race([ready, ended]);
  ended.catch(() => undefined);
  const [url = ''] = /http:\/\/localhost:\d+/.exec(out()) ?? [];
  return {
    child,
    url,
    greeting: out(),
    async end(signal) {
      child.kill(signal);
      const [code] = await exited;
      return code;
    },
  };
}

function start(env: Record<string, string>, args: readonly string[]) {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (piece) => {
    out += piece;
  });
  child.stderr.on('data', (piece) => {
    err += piece;
  });
  return { child, out: () => out, err: () => err };
}
