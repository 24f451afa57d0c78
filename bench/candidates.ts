/**
 * npm run bench:candidates: J prompts trained side by side in one run against J runs of their own,
 * one epoch of the example sentences around the shipped backbone (or BACKBONE=DIR). Rounds alternate
 * in one process, and only training steps are timed; compare the ratio, not the times. The last
 * line says how far the results of the two are apart.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runJob, type TuningJob } from '@polyprompt/tuning';

const J = Number(process.env.PROMPTS ?? 8);
const BATCH = Number(process.env.BATCH ?? 8);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-candidates-'));
const seeds = Array.from({ length: J }, (_, i) => i + 1);

function job(more: Pick<TuningJob, 'candidates'> & { readonly seed?: number }): TuningJob {
  const { candidates = [], seed = 1 } = more;
  return {
    backbone: process.env.BACKBONE ?? join(root, 'models/polyprompt-mini'),
    train: join(root, 'examples/topics/train.jsonl'),
    dev: join(root, 'examples/topics/dev.jsonl'),
    out: join(folder, 'out'),
    settings: {
      task: 'text-classification',
      learningRate: 1e-3,
      epochs: 1,
      batchSize: BATCH,
      seed,
      patience: 0,
    },
    candidates,
    checkpointSeconds: 3600,
    ...(process.env.DEVICE === 'cuda' ? { device: 'cuda' as const } : {}),
    ...(process.env.THREADS ? { threads: Number(process.env.THREADS) } : {}),
  };
}

/** Seconds and tokens from the first step to the last one. */
async function timed(one: TuningJob) {
  let [from, to] = [0, 0];
  const { tokens, best, card } = await runJob(one, {
    onEvent: ({ type }) => {
      if (type === 'started') from = performance.now();
      if (type === 'step') to = performance.now();
    },
  });
  const losses = card.candidates?.map((each) => each.best!.loss) ?? [best.loss];
  return { seconds: (to - from) / 1000, tokens, losses };
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
const ratios: number[] = [];
const rates = { alone: [] as number[], together: [] as number[] };
let apart = 0;
try {
  for (let round = 0; round < ROUNDS; round++) {
    const alone = { seconds: 0, tokens: 0, losses: [] as number[] };
    for (const seed of seeds) {
      const one = await timed(job({ seed }));
      alone.seconds += one.seconds;
      alone.tokens += one.tokens;
      alone.losses.push(...one.losses);
    }
    const together = await timed(job({ candidates: seeds.map((seed) => ({ seed })) }));
    rates.alone.push(alone.tokens / alone.seconds);
    rates.together.push(together.tokens / together.seconds);
    ratios.push(alone.seconds / together.seconds);
    together.losses.forEach((loss, i) => {
      apart = Math.max(apart, Math.abs(loss - alone.losses[i]!));
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${J} prompts of 16, batches of ${BATCH} each, ${ROUNDS} rounds
  one by one     ${median(rates.alone).toFixed(0).padStart(7)} tokens/s
  side by side   ${median(rates.together).toFixed(0).padStart(7)} tokens/s
  ratio          ${median(ratios).toFixed(2).padStart(7)} (${ratios.map((r) => r.toFixed(2)).join(', ')})
  largest difference of a dev loss: ${apart.toExponential(1)}`);
