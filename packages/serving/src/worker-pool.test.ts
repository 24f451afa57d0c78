import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBackbone, Predictor, type PromptTensors } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { tinyPrompt } from '@polyprompt/prompts/testing';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { InferenceRow } from './protocol.ts';
import { WorkerPool } from './worker-pool.ts';

const folder = mkdtempSync(join(tmpdir(), 'serving-'));
const backboneDir = join(folder, 'tiny');
const spec = writeTinyBackbone(backboneDir, { family: 'bert' });
afterAll(() => rmSync(folder, { recursive: true }));

const settings = { backboneDir, device: 'cpu', threads: 1, graphs: ['prefix'] } as const;
const MORTAL = new URL('./testing/mortal-worker.ts', import.meta.url);
const DEADLY = 13;

let pool: WorkerPool;
let lost = 0;
function open(options: { workers?: number; entry?: URL; backboneDir?: string } = {}): WorkerPool {
  const { workers = 1, entry, backboneDir: dir = backboneDir } = options;
  lost = 0;
  pool = new WorkerPool({
    workers,
    settings: { ...settings, backboneDir: dir },
    onLost: () => lost++,
    ...(entry ? { entry } : {}),
  });
  return pool;
}
afterEach(() => pool.close());

const prompt = tinyPrompt(spec, 'none', { seed: 1 });
function row(number: number, length: number, output: InferenceRow['output'] = 'pooled') {
  const ids = Array.from({ length }, (_, i) => 5 + ((i * 3) % 20));
  return { prompt: number, ids, typeIds: ids.map((_, i) => i % 2), output };
}

/** What the predictor says on this thread. */
async function expected(tensors: PromptTensors, { ids, typeIds, output }: InferenceRow) {
  const predictor = new Predictor(openBackbone(backboneDir), { device: 'cpu', threads: 1 });
  const [result] = await predictor.predict([{ ids, typeIds, prompt: tensors }]);
  await predictor.release();
  return result![output];
}

describe('WorkerPool', () => {
  it('computes what the predictor computes, pooled and by token', async () => {
    open();
    const number = pool.load(prompt);
    const rows = [row(number, 5), row(number, 7, 'tokens')];
    const [pooled, tokens] = await pool.run(rows);
    expect(pooled).toHaveLength(3);
    expect(tokens).toHaveLength(7 * 3);
    const both = [...(await expected(prompt, rows[0]!)), ...(await expected(prompt, rows[1]!))];
    [...pooled!, ...tokens!].forEach((value, i) => {
      expect(value).toBeCloseTo(both[i]!, 5);
    });
  });

  it('leaves the prompt that it copied as it was', async () => {
    open();
    const before = prompt.headWeight.data.slice();
    pool.load(prompt);
    await pool.ready();
    expect(prompt.headWeight.data).toEqual(before);
  });

  it('fails a batch that cannot be computed, and goes on', async () => {
    open();
    const number = pool.load(prompt);
    const outside = { ...row(number, 3), ids: [999_999, 1, 1] };
    await expect(pool.run([outside])).rejects.toMatchObject({ code: 'inference_failed' });
    await expect(pool.run([row(77, 3)])).rejects.toThrow('prompt 77 is not loaded');
    expect(await pool.run([row(number, 3)])).toHaveLength(1);
    expect(lost).toBe(0);
  });

  it('forgets a dropped prompt, though not for a batch that was there before', async () => {
    open();
    const number = pool.load(prompt);
    const running = pool.run([row(number, 3)]);
    pool.drop(number);
    expect((await running)[0]).toHaveLength(3);
    await expect(pool.run([row(number, 3)])).rejects.toThrow('is not loaded');
  });

  it('replaces a worker that dies, fails its batch and says that its prompts are gone', async () => {
    open({ entry: MORTAL });
    const number = pool.load(prompt);
    await pool.ready();
    await expect(pool.run([row(number, DEADLY)])).rejects.toMatchObject({
      code: 'worker_crashed',
      message: expect.stringContaining('ended with code 7'),
    });
    expect(lost).toBe(1);
    expect(pool.restarts).toBe(1);
    expect(pool.runtime).toBeNull();
    await pool.ready();
    await expect(pool.run([row(number, 3)])).rejects.toThrow('is not loaded');
    expect(await pool.run([row(pool.load(prompt), 3)])).toHaveLength(1);
  });

  it('runs any batch on any of several workers', async () => {
    open({ workers: 2 });
    const number = pool.load(prompt);
    const runs = [pool.run([row(number, 4)]), pool.run([row(number, 4)])];
    await expect(pool.run([row(number, 4)])).rejects.toThrow('more batches at a time than workers');
    const [one, other] = await Promise.all(runs);
    expect(one).toEqual(other);
    expect(pool.runtime).not.toBeNull();
  });

  it('says why a worker cannot start, and tries again when asked again', async () => {
    const late = join(folder, 'late');
    open({ backboneDir: late });
    await expect(pool.ready()).rejects.toMatchObject({
      code: 'start_failed',
      message: expect.stringContaining('does not exist'),
      cause: { name: 'BackboneError', code: 'not_a_model_folder' },
    });
    writeTinyBackbone(late, { family: 'bert' });
    expect(await pool.ready()).toMatchObject({ device: 'cpu' });
    expect(pool.restarts).toBe(0);
  });

  it('finishes what it was given before it closes, and takes nothing after', async () => {
    open();
    const running = pool.run([row(pool.load(prompt), 3)]);
    await Promise.all([pool.close(), expect(running).resolves.toHaveLength(1)]);
    await expect(pool.run([row(0, 3)])).rejects.toMatchObject({ code: 'closed' });
  });
});
