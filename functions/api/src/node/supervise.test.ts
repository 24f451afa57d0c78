import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { supervise } from './supervise.ts';

const entry = join(import.meta.dirname, '../testing/child.ts');
const lines: string[] = [];
const logger = pino({}, { write: (line: string) => lines.push(line) });

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

it('starts a child again that was killed, and ends it when told', async () => {
  const supervised = supervise({ entry, environment: {}, logger, backoffMs: 1 });
  const first = supervised.pid!;
  process.kill(first, 'SIGKILL');
  while (supervised.pid === first || supervised.pid === undefined) await sleep(5);
  const second = supervised.pid;
  expect(isAlive(second)).toBe(true);
  await supervised.stop(10_000);
  expect(isAlive(second)).toBe(false);
  expect(supervised.pid).toBeUndefined();
});

it('waits longer each time for one that keeps dying', async () => {
  lines.length = 0;
  const supervised = supervise({ entry, environment: { DIE: 'yes' }, logger, backoffMs: 4 });
  while (lines.length < 3) await sleep(5);
  await supervised.stop(10_000);
  const waits = lines.slice(0, 3).map((line) => JSON.parse(line));
  expect(waits.map(({ waitMs, code }) => [waitMs, code])).toEqual([
    [4, 3],
    [8, 3],
    [16, 3],
  ]);
});

it('does not leave the child behind when its own process is killed', async () => {
  const code = `
    const { supervise } = await import(${JSON.stringify(join(import.meta.dirname, 'supervise.ts'))});
    const options = { entry: ${JSON.stringify(entry)}, environment: {}, logger: {} };
    console.log(supervise(options).pid);
  `;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code]);
  const [output] = await once(parent.stdout, 'data');
  const child = Number(output);
  expect(isAlive(child)).toBe(true);
  parent.kill('SIGKILL');
  while (isAlive(child)) await sleep(5);
});
