/** Ctrl-C in the middle of training, and the run continued with the command line that it printed. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from 'vitest';
import { cli, finished, jsonLines, makeWorld, rows, start } from './testing/cli.ts';

const world = makeWorld();
afterAll(world.remove);
const train = world.file('train.jsonl', jsonLines(rows(64)));
const model = world.backbone('model');

const tune = (out: string) => [
  ...['tune', '--backbone', model, '--train', train, '--out', out],
  ...'--length 3 --lr 0.05 --batch-size 8 --epochs 100 --patience 0 --threads 1'.split(' '),
];

async function interruptAfterEvaluation(args: string[], signal: NodeJS.Signals) {
  const child = start(args);
  const done = finished(child);
  for await (const line of createInterface(child.stderr!)) {
    if (line.startsWith('step ')) break;
  }
  child.kill(signal);
  return done;
}

describe('an interrupted run', () => {
  it('checkpoints, exits with 130, and goes on to the same bytes', async () => {
    const out = world.path("it's out");
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const resuming = signal === 'SIGTERM' ? ['--resume'] : [];
      const stopped = await interruptAfterEvaluation([...tune(out), ...resuming], signal);
      expect(stopped).toMatchObject({ code: 130, stdout: '' });
      expect(existsSync(`${out}/checkpoint.safetensors`)).toBe(true);
      expect(existsSync(`${out}/card.json`)).toBe(false);
    }
    const anew = await cli(tune(out));
    expect(anew.code).toBe(2);
    expect(anew.stderr).toMatch(/checkpoint of an unfinished run; --resume continues it/);
    const resumed = await cli([...tune(out), '--resume']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stderr).toMatch(/continuing after step \d+ of 800/);
    const whole = world.path('whole');
    expect((await cli([...tune(whole), '--quiet'])).code).toBe(0);
    const bytes = (dir: string) => readFileSync(`${dir}/prompt.safetensors`);
    expect(bytes(out).equals(bytes(whole))).toBe(true);
  });

  it('is not one that nobody watches any more', async () => {
    const out = world.path('unwatched');
    const child = start([...tune(out), '--epochs', '20']);
    child.stderr!.once('data', () => child.stderr!.destroy());
    child.stdout!.resume();
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(0);
    expect(existsSync(`${out}/card.json`)).toBe(true);
  });
});
