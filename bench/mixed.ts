/**
 * npm run bench:mixed [-- BACKBONE]: what it costs that every row has a prompt of its own. Each
 * figure is a ratio between two kinds of load that take turns in one run; on a machine that has other
 * things to do, the ratio of CPU times is the steadier one.
 *
 * 1. Batches: 32 rows with 32 prompts against the same 32 rows with one prompt, on the worker.
 * 2. Traffic: 1,000 prompts by a Zipf law against one prompt, the same texts, through the whole engine
 *    with 64 callers that each send their next text when the last is answered; once with a cache that
 *    holds all prompts, once with one that holds a quarter and reads the others again from memory.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { openBackbone } from '@polyprompt/backbone';
import type { Prompt } from '@polyprompt/prompts';
import { tinyPrompt } from '@polyprompt/prompts/testing';
import { createEngine, WorkerPool } from '@polyprompt/serving';
import { textClassification } from '@polyprompt/tasks';

const LENGTH = 16;
const CLASSES = 4;
const PROMPTS = 1000;
const CALLERS = 64;
const ROUNDS = Number(process.env.ROUNDS ?? 7);
const REQUESTS = Number(process.env.REQUESTS ?? 1000);
const threads = Number(process.env.THREADS ?? availableParallelism());

const candidates = ['models/polyprompt-mini', '../shared/backbone'].map((dir) =>
  join(import.meta.dirname, '..', dir),
);
const backboneDir = process.argv[2] ?? candidates.find((dir) => existsSync(dir)) ?? candidates[0]!;
const backbone = openBackbone(backboneDir);
const fingerprint = await backbone.fingerprint();
console.log(`${backbone.name}, prompts of ${LENGTH}, ${threads} threads, ${ROUNDS} rounds`);
await batches();
await traffic('cache holds all', PROMPTS);
await traffic('cache holds a quarter', PROMPTS / 4);

async function batches(): Promise<void> {
  const pool = new WorkerPool({
    workers: 1,
    settings: { backboneDir, device: 'auto', threads, graphs: ['prefix'] },
    onLost: () => process.exit(1),
  });
  await pool.ready();
  for (const tokens of [16, 64]) {
    const numbers = Array.from({ length: 32 }, (_, i) => pool.load(makePrompt(i)));
    const ids = Array.from({ length: tokens }, (_, i) => 5 + ((i * 37) % 1000));
    const row = (prompt: number) => ({
      prompt,
      ids,
      typeIds: ids.map(() => 0),
      output: 'pooled' as const,
    });
    const mixed = numbers.map(row);
    const single = numbers.map(() => row(numbers[0]!));
    const times = { single: [] as number[], mixed: [] as number[] };
    const cpu = { single: 0, mixed: 0 };
    for (let round = -1; round < 4 * ROUNDS; round++) {
      for (const kind of ['single', 'mixed'] as const) {
        const begun = performance.now();
        const used = process.cpuUsage();
        await pool.run(kind === 'single' ? single : mixed);
        if (round < 0) continue;
        times[kind].push(performance.now() - begun);
        cpu[kind] += cpuMs(used);
      }
    }
    const [one, many] = [median(times.single), median(times.mixed)];
    console.log(
      `32 rows x ${tokens} tokens: 1 prompt ${one.toFixed(1)} ms, 32 prompts ${many.toFixed(1)} ms; ` +
        `throughput ${(one / many).toFixed(3)} x, CPU time ${(cpu.mixed / cpu.single).toFixed(3)} x`,
    );
  }
  await pool.close();
}

async function traffic(title: string, room: number): Promise<void> {
  const prompts = Array.from({ length: PROMPTS }, (_, i) => makePrompt(i));
  const { prefix, headWeight, headBias } = prompts[0]!;
  const bytes = [prefix!, headWeight, headBias].reduce((sum, { data }) => sum + data.byteLength, 0);
  const engine = createEngine({
    backboneDir,
    threads,
    load: async (key) => prompts[Number(key)],
    limits: { cacheBytes: room * bytes },
  });
  await engine.ready();
  const random = uniform(1);
  const texts = Array.from({ length: REQUESTS }, () =>
    'the match was long and nobody won '.repeat(1 + Math.floor(3 * random() ** 2)).trim(),
  );
  const zipf = zipfKeys(REQUESTS, uniform(2));
  const keysOf = { single: texts.map(() => '0'), zipf };
  await closedLoop(
    prompts.map((_, i) => String(i)),
    prompts.map(() => 'warm up'),
  );
  const before = engine.stats();

  const rates = { single: [] as number[], zipf: [] as number[] };
  const cpu = { single: 0, zipf: 0 };
  const tails = { single: [] as number[], zipf: [] as number[] };
  for (let round = -1; round < ROUNDS; round++) {
    for (const kind of ['single', 'zipf'] as const) {
      const used = process.cpuUsage();
      const { rate, times } = await closedLoop(keysOf[kind], texts);
      if (round < 0) continue;
      cpu[kind] += cpuMs(used);
      rates[kind].push(rate);
      tails[kind].push(quantile(times, 0.99));
    }
  }
  const after = engine.stats();
  await engine.close();
  const [p99, zipfP99] = [median(tails.single), median(tails.zipf)];
  const rows = after.batcher.rows - before.batcher.rows;
  const [rate, zipfRate] = [median(rates.single), median(rates.zipf)];
  console.log(
    `${title}: 1 prompt ${rate.toFixed(0)}/s, p99 ${p99.toFixed(0)} ms; ` +
      `${PROMPTS} prompts ${zipfRate.toFixed(0)}/s, p99 ${zipfP99.toFixed(0)} ms; ` +
      `throughput ${(zipfRate / rate).toFixed(3)} x, p99 ${(zipfP99 / p99).toFixed(3)} x, ` +
      `CPU time ${(cpu.zipf / cpu.single).toFixed(3)} x ` +
      `(${after.cache.evictions - before.cache.evictions} evictions, ` +
      `${(rows / (after.batcher.batches - before.batcher.batches)).toFixed(1)} rows per batch)`,
  );

  function ask(promptKey: string, text: string) {
    return engine.infer({ promptKey, task: textClassification, inputs: [{ text }] });
  }

  async function closedLoop(keys: readonly string[], all: readonly string[]) {
    let next = 0;
    const times: number[] = [];
    const begun = performance.now();
    const caller = async () => {
      for (let i = next++; i < all.length; i = next++) {
        const sent = performance.now();
        await ask(keys[i]!, all[i]!);
        times.push(performance.now() - sent);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    return { rate: (1000 * all.length) / (performance.now() - begun), times };
  }
}

function makePrompt(seed: number): Prompt {
  return tinyPrompt(backbone.spec, fingerprint, {
    seed,
    labels: Array.from({ length: CLASSES }, (_, i) => `label ${i}`),
    length: LENGTH,
    backboneName: backbone.name,
  });
}

/** Prompt i is asked for 1/(i+1) as often as prompt 0. */
function zipfKeys(count: number, random: () => number): string[] {
  const cumulative: number[] = [];
  for (let i = 0; i < PROMPTS; i++) cumulative.push((cumulative.at(-1) ?? 0) + 1 / (i + 1));
  return Array.from({ length: count }, () => {
    const at = random() * cumulative.at(-1)!;
    return String(cumulative.findIndex((sum) => sum >= at));
  });
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}
