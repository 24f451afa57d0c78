/**
 * A run that is killed (SIGKILL) at random moments and resumed gives the same bytes as one that was
 * never broken. Real processes, real files.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';

const KILLS = 20;
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-kill-'));
const backbone = join(folder, 'backbone');
const train = join(folder, 'train.jsonl');
const script = join(folder, 'run.ts');

beforeAll(() => {
  const words = ['rain', 'snow', 'bread', 'soup', 'the', 'is', 'a'];
  writeTinyBackbone(backbone, { family: 'roberta', words, hidden: 32, layers: 3, std: 0.2 });
  const lines = Array.from({ length: 64 }, (_, i) => {
    const text = `the ${words[i % 4]} is a ${words[(i * 3) % 4]} ${'a '.repeat(i % 7)}`.trim();
    return JSON.stringify({ text, label: i % 4 < 2 ? 'weather' : 'food' });
  });
  writeFileSync(train, lines.join('\n'));
  const tuning = new URL('../packages/tuning/src/index.ts', import.meta.url).href;
  const job = {
    backbone,
    train,
    settings: { task: 'text-classification', length: 4, epochs: 120, batchSize: 8, patience: 0 },
    device: 'cpu',
    threads: 2,
    checkpointSeconds: 0.05,
    resume: true,
  };
  writeFileSync(
    script,
    `import { runJob } from ${JSON.stringify(tuning)};
const job = ${JSON.stringify(job)};
await runJob({ ...job, out: process.argv[2] }, {
  onEvent: (event) => event.type === 'started' && console.log('started', event.step),
});`,
  );
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(out: string): ChildProcess {
  return spawn(process.execPath, [script, out], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Resolves with the exit code, or null when the process was killed. */
function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on('exit', (code) => resolve(code)));
}

function startedAt(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', (data: Buffer) => resolve(Number(String(data).split(' ')[1])));
    child.on('exit', () => reject(new Error('ended before it started')));
  });
}

const hash = (out: string) =>
  createHash('sha256')
    .update(readFileSync(join(out, 'prompt.safetensors')))
    .digest('hex');

it(`gives the same bytes after ${KILLS} kills at random moments`, {
  timeout: 300_000,
}, async () => {
  const whole = join(folder, 'whole');
  const begun = performance.now();
  const unbroken = start(whole);
  const unbrokenExit = ended(unbroken);
  await startedAt(unbroken);
  const training = performance.now();
  expect(await unbrokenExit).toBe(0);
  const duration = performance.now() - training;
  expect(duration, 'the run must be long enough to be interrupted').toBeGreaterThan(200);
  expect(begun).toBeLessThan(training);

  const broken = join(folder, 'broken');
  const resumedAt: number[] = [];
  let kills = 0;
  while (kills < KILLS) {
    const child = start(broken);
    // From the start: the run may come to its end before it is killed.
    const exit = ended(child);
    resumedAt.push(await startedAt(child));
    await new Promise((resolve) =>
      setTimeout(resolve, Math.random() * Math.min(400, duration / 8)),
    );
    child.kill('SIGKILL');
    const code = await exit;
    if (code === 0) break;
    kills++;
    expect(existsSync(join(broken, 'card.json'))).toBe(false);
  }
  const last = start(broken);
  expect(await ended(last)).toBe(0);
  expect(hash(broken)).toBe(hash(whole));
  // It did resume, rather than start over each time.
  expect(Math.max(...resumedAt)).toBeGreaterThan(0);
  expect(kills).toBeGreaterThan(KILLS / 2);
});
