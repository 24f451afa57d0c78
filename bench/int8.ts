/**
 * npm run bench:int8 [-- DATA]: int8 serving against float32 serving of the same backbone.
 *
 * 1. Throughput at XLM-R base shapes (random weights) and on a backbone with weights of its own: 32 rows of 64 tokens
 *    behind 32 prompts of length 16, in rounds that take turns. Ratios of times and of CPU times; on a machine that
 *    has other things to do, the latter with THREADS=1 is the steadier one.
 * 2. Memory: a process that loads the backbone and answers a batch of 8 short rows.
 * 3. Points lost: the examples' own prompt on their test set and, where DATA is a folder of labelled data (see
 *    bench/xtreme.ts), one prompt for each of --tasks, trained on English and tested in all languages.
 *
 * Options: --backbone DIR, --tasks a,b (sib200,pawsx,ner,xquad), --epochs N. Environment: ROUNDS (7), THREADS.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Backbone, openBackbone, Predictor } from '@polyprompt/backbone';
import { quality } from './int8-quality.ts';
import { noise, writeShape, XLMR_BASE } from './shapes.ts';

const PRECISIONS = ['float32', 'int8'] as const;
const ROWS = 32;
const TOKENS = 64;
const LENGTH = 16;
const CLASSES = 4;
const rounds = Number(process.env.ROUNDS ?? 7);
const threads = Number(process.env.THREADS ?? availableParallelism());

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    backbone: { type: 'string', default: join(import.meta.dirname, '../models/polyprompt-mini') },
    tasks: { type: 'string', default: 'sib200,pawsx,ner,xquad' },
    epochs: { type: 'string' },
    memory: { type: 'string' },
  },
});

if (values.memory) {
  await occupy(values.backbone, values.memory as (typeof PRECISIONS)[number]);
} else {
  const scratch = mkdtempSync(join(tmpdir(), 'polyprompt-int8-'));
  try {
    const large = join(scratch, 'xlmr-base');
    writeShape(large, XLMR_BASE);
    console.log(`${threads} threads, ${rounds} rounds`);
    for (const dir of [large, values.backbone]) {
      await throughput(openBackbone(dir));
      memory(dir);
    }
    await quality({
      backbone: values.backbone,
      data: positionals[0],
      scratch,
      tasks: values.tasks.split(','),
      ...(values.epochs ? { epochs: Number(values.epochs) } : {}),
    });
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function throughput(backbone: Backbone): Promise<void> {
  const rows = rowsOf(backbone, ROWS, TOKENS);
  const predictors = PRECISIONS.map(
    (precision) => new Predictor(backbone, { device: 'cpu', threads, precision }),
  );
  const times: number[][] = PRECISIONS.map(() => []);
  const cpu: number[][] = PRECISIONS.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, predictor] of predictors.entries()) {
      const [begun, used] = [performance.now(), process.cpuUsage()];
      await predictor.predict(rows);
      const { user, system } = process.cpuUsage(used);
      if (round < 0) continue;
      times[i]!.push(performance.now() - begun);
      cpu[i]!.push((user + system) / 1000);
    }
  }
  for (const predictor of predictors) await predictor.release();
  const [float32, int8] = times.map(median) as [number, number];
  const [cpuFloat32, cpuInt8] = cpu.map(median) as [number, number];
  console.log(
    `${backbone.name}: ${ROWS} rows x ${TOKENS} tokens in ${float32.toFixed(0)} ms with float32, ${int8.toFixed(0)} ms with int8; ` +
      `throughput ${(float32 / int8).toFixed(2)} x, by CPU time ${(cpuFloat32 / cpuInt8).toFixed(2)} x`,
  );
}

function memory(dir: string): void {
  const measured = PRECISIONS.map((precision) => {
    const self = [import.meta.filename, '--memory', precision, '--backbone', dir];
    const env = { ...process.env, THREADS: String(threads) };
    const printed = execFileSync(process.execPath, self, { encoding: 'utf8', env });
    const { held, most } = JSON.parse(printed) as Record<string, number>;
    return `${precision} ${held} MB, ${most} MB at most while it loads`;
  });
  console.log(`  resident memory: ${measured.join('; ')}`);
}

/** What a process of its own takes; printed as JSON. */
async function occupy(dir: string, precision: (typeof PRECISIONS)[number]): Promise<void> {
  const backbone = openBackbone(dir);
  const predictor = new Predictor(backbone, { device: 'cpu', threads, precision });
  await predictor.predict(rowsOf(backbone, 8, 16));
  const megabytes = (bytes: number) => Math.round(bytes / 1024 ** 2);
  console.log(
    JSON.stringify({
      held: megabytes(process.memoryUsage.rss()),
      most: megabytes(process.resourceUsage().maxRSS * 1024),
    }),
  );
  await predictor.release();
}

/** Full rows, each with a prompt of its own. */
function rowsOf({ spec }: Backbone, count: number, tokens: number) {
  const { layers, heads, headDim, hidden, vocabSize } = spec;
  return Array.from({ length: count }, (_, r) => ({
    ids: Array.from({ length: tokens }, (_, i) => 5 + ((i * 37 + r * 11) % (vocabSize - 5))),
    prompt: {
      prefix: noise32([layers, 2, heads, LENGTH, headDim], 1),
      headWeight: noise32([hidden, CLASSES], 0.5),
      headBias: noise32([CLASSES], 1),
      pooling: 'first' as const,
      positions: 'shifted' as const,
    },
  }));
}

function noise32(shape: readonly number[], scale: number) {
  return { shape, data: noise(shape, scale).data as Float32Array };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}
