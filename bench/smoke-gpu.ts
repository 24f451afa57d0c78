/**
 * npm run smoke:gpu [-- BACKBONE]: whether this machine's GPU computes what its CPU does, and how much faster. Prints
 * the device, the worst deviations of a mixed batch, of gradients, and the throughput of both. Exits with 1 where the
 * numbers differ, with 3 and the reason where there is no GPU that can be used.
 */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { compile } from '@polyprompt/autodiff';
import {
  openBackbone,
  type Precision,
  Predictor,
  type PredictRow,
  providersOf,
  trainingGraph,
  usableDevice,
  weightFolder,
} from '@polyprompt/backbone';
import { denseBatch, noise } from './shapes.ts';

/** Of the largest value: rounding to 11 bits, and to the 10 of TF32 in gradients. */
const TOLERANCE = 2e-2;
const NO_GPU = 3;
const ROWS = 32;
const LENGTH = 64;
const PROMPT = 16;
const ROUNDS = 20;

const dir = process.argv[2] ?? join(import.meta.dirname, '../models/polyprompt-mini');
const backbone = openBackbone(dir);
try {
  await usableDevice('cuda');
} catch (error) {
  console.error(`no GPU: ${(error as Error).message}`);
  process.exit(NO_GPU);
}
console.log(`${backbone.name}, ${(backbone.parameters / 1e6).toFixed(0)} M parameters`);
const wanted = await serve('cpu', 'float32');
const outcomes = [
  await against('serving, float32', await serve('cuda', 'float32'), wanted),
  await against('serving, float16 matrices', await serve('cuda', 'float16'), wanted),
  await against('training step', await train('cuda'), await train('cpu')),
];
if (outcomes.includes(false)) process.exit(1);

interface Run {
  /** In a fixed order. */
  readonly values: readonly number[];
  readonly perSecond: number;
}

/** Rows of different lengths and prompts. */
async function serve(device: 'cpu' | 'cuda', precision: Precision): Promise<Run> {
  const { layers, heads, headDim, hidden, vocabSize } = backbone.spec;
  const prompts = [PROMPT, 4].map((length) => ({
    prefix: noise([layers, 2, heads, length, headDim], 0.5) as never,
    headWeight: noise([hidden, 5], 0.2) as never,
    headBias: noise([5], 1) as never,
    pooling: 'first' as const,
    positions: 'shifted' as const,
  }));
  const rows = Array.from({ length: ROWS }, (_, row): PredictRow => {
    const length = LENGTH - (row % 4);
    const ids = Array.from({ length }, (_, i) => 5 + ((i * 37 + row) % (vocabSize - 5)));
    return { ids, prompt: prompts[row % prompts.length]! };
  });
  const predictor = new Predictor(backbone, { device, precision, threads: cpus().length });
  const results = await predictor.predict(rows);
  const perSecond = (await rate(() => predictor.predict(rows))) * ROWS;
  await predictor.release();
  return { values: results.flatMap(({ pooled }) => [...pooled]), perSecond };
}

/** The loss and the gradients of a prefix. */
async function train(device: 'cpu' | 'cuda'): Promise<Run> {
  const { spec, checkpoint } = backbone;
  const classes = 3;
  const graph = trainingGraph(spec, checkpoint, {
    method: 'prefix',
    loss: 'pooled',
    usePooler: false,
    classes,
    length: PROMPT,
  });
  const program = await compile(graph.outputs, {
    externalFolder: weightFolder(checkpoint),
    providers: providersOf(device),
  });
  const batch = denseBatch(spec, ROWS, LENGTH, PROMPT);
  const feeds = Object.fromEntries(
    [...program.inputs].map(([name, { shape, dtype }]) => {
      if (batch[name]) return [name, batch[name]];
      const sizes = { B: ROWS, P: PROMPT, C: classes, S: LENGTH } as Record<string, number>;
      const full = shape.map((dim) => (typeof dim === 'number' ? dim : (sizes[dim] ?? 1)));
      if (dtype !== 'float32') throw new Error(`no value for the input ${name} of ${dtype}`);
      return [name, noise(full, 0.3)];
    }),
  );
  const outputs = await program.run(feeds);
  const perSecond = (await rate(() => program.run(feeds))) * ROWS;
  await program.release();
  const values = Object.values(outputs).flatMap(({ data }) => Array.from(data, Number));
  return { values, perSecond };
}

async function rate(run: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  for (let round = 0; round < ROUNDS; round++) await run();
  return (ROUNDS * 1000) / (performance.now() - begun);
}

function against(what: string, found: Run, expected: Run): boolean {
  const size = expected.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = expected.values.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - found.values[i]!)),
    0,
  );
  const good = worst <= TOLERANCE * size && found.values.length === expected.values.length;
  const speed = `${found.perSecond.toFixed(0)} texts/s, ${(found.perSecond / expected.perSecond).toFixed(1)} x the CPU`;
  console.log(
    `${good ? 'ok  ' : 'FAIL'} ${what}: off by ${(worst / size).toExponential(1)}; ${speed}`,
  );
  return good;
}
