/**
 * npm run bench:train: forward, prefix-tuning step and full fine-tuning step, beside the matrix
 * multiplication rate of this machine and beside PyTorch where it is installed. Every time is a
 * median of interleaved rounds in one run, every ratio a median of the rounds' ratios; compare the
 * ratios, not the times.
 */
import { rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compile,
  Graph,
  matmul,
  type Program,
  reduceSum,
  type TensorData,
} from '@polyprompt/autodiff';
import {
  type Backbone,
  openBackbone,
  RowPrefixes,
  servingGraph,
  type TuningMethod,
  trainingGraph,
  WEIGHT_INPUT,
  weightFolder,
} from '@polyprompt/backbone';
import { readFloat32 } from '@polyprompt/safetensors';
import { tokenBudgetOn } from '@polyprompt/tuning';
import { openPyTorch } from './pytorch.ts';
import { denseBatch, filled, noise, writeShape, XLMR_BASE } from './shapes.ts';

const PREFIX = 16;
const CLASSES = 3;
const CHAIN = 4;
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const threads = Number(process.env.THREADS ?? availableParallelism());

interface Timed {
  readonly name: string;
  readonly run: () => Promise<unknown>;
  readonly times: number[];
}

/** Multiply-adds of one forward pass, counted twice: linear layers, scores and context. */
function forwardFlops({ spec }: Backbone, batch: number, length: number): number {
  const linear = 2 * (4 * spec.hidden ** 2 + 2 * spec.hidden * spec.intermediate);
  const attention = 4 * (PREFIX + length) * spec.hidden;
  return spec.layers * batch * length * (linear + attention);
}

/** As above, of a forward pass that reads one state: the last layer has keys and values alone. */
function oneStateFlops(backbone: Backbone, batch: number, length: number): number {
  const { spec } = backbone;
  const all = forwardFlops(backbone, batch, length);
  return all * (1 - 1 / spec.layers) + batch * length * 4 * spec.hidden ** 2;
}

async function measure(
  title: string,
  backbone: Backbone,
  batch: number,
  length: number,
  full: boolean,
) {
  const { spec, checkpoint } = backbone;
  const options = { externalFolder: weightFolder(checkpoint), threads };
  // As tuning runs a batch: in pieces, whose gradients are added up.
  const tokenBudget = tokenBudgetOn('cpu', { tokenBudget: null, method: 'prefix' });
  const pieces = Math.max(1, Math.round((batch * length) / tokenBudget));
  const rows = batch / pieces;
  const tokens = denseBatch(spec, rows, length, PREFIX);
  const prefix = noise([1, spec.layers, 2, spec.heads, PREFIX, spec.headDim], 0.1);
  const head = {
    head_weight: noise([1, spec.hidden, CLASSES], 0.05),
    head_bias: filled([1, CLASSES], 0),
  };

  // A chain of products, so that neither feeding nor fetching counts.
  const multiply = new Graph();
  const up = noise([spec.hidden, spec.intermediate], 0.01);
  const down = noise([spec.intermediate, spec.hidden], 0.01);
  let chain = multiply.input('a', 'float32', [batch * length, spec.hidden]);
  const b = multiply.constant(up.data, 'float32', up.shape);
  const c = multiply.constant(down.data, 'float32', down.shape);
  for (let i = 0; i < CHAIN; i++) chain = matmul(matmul(chain, b), c);
  const product = await compile({ y: reduceSum(chain) }, { threads });
  const operands = { a: noise([batch * length, spec.hidden], 1) };

  const forward = await compile(
    { pooled_logits: servingGraph(spec, checkpoint, 'prefix').outputs.pooled_logits! },
    options,
  );
  const stepFeeds = (method: TuningMethod, rows: number): Record<string, TensorData> => ({
    ...(method === 'full' ? denseBatch(spec, rows, length, 0) : { ...tokens, prefix }),
    ...head,
    head_dropout: filled([rows, spec.hidden], 1),
    target: noise([rows, CLASSES], 0),
    loss_weight: filled([rows], 1 / batch),
  });
  const graph = (method: TuningMethod) =>
    trainingGraph(spec, checkpoint, {
      method,
      loss: 'pooled',
      length: PREFIX,
      classes: CLASSES,
      usePooler: false,
      oneState: true,
    });
  const step = await compile(graph('prefix').outputs, options);
  const forwardFeeds = {
    ...tokens,
    ...head,
    ...new RowPrefixes(spec).feeds(
      Array(rows).fill({ ...prefix, shape: prefix.shape.slice(1) }),
      PREFIX,
    ),
    prompt_index: { data: new BigInt64Array(rows), shape: [rows] },
  };

  const timed: Timed[] = [
    { name: 'matmul', run: () => product.run(operands), times: [] },
    { name: 'forward', run: () => inPieces(pieces, forward, forwardFeeds), times: [] },
    {
      name: 'prefix step',
      run: () => inPieces(pieces, step, stepFeeds('prefix', rows)),
      times: [],
    },
  ];
  let fullProgram: Program | null = null;
  if (full) {
    fullProgram = await compile(graph('full').outputs, options);
    const weights = Object.fromEntries(
      [...checkpoint.tensors].map(([name, ref]) => [
        WEIGHT_INPUT + name,
        { data: readFloat32(ref.file, ref), shape: ref.shape },
      ]),
    );
    const feeds = { ...stepFeeds('full', batch), ...weights };
    timed.push({ name: 'full step', run: () => fullProgram!.run(feeds), times: [] });
  }
  const torch = await openPyTorch({
    ...spec,
    batch,
    length,
    prefix: PREFIX,
    classes: CLASSES,
    threads,
  });
  if (!('reason' in torch)) {
    timed.push(
      { name: 'PyTorch forward', run: () => torch.run('forward'), times: [] },
      { name: 'PyTorch step', run: () => torch.run('step'), times: [] },
    );
  }
  await interleave(timed);

  const timesOf = (name: string) => timed.find((each) => each.name === name)!.times;
  const median = (name: string) => middle(timesOf(name));
  /** Of the rounds, so that a slow minute of the machine counts on both sides. */
  const ratio = (name: string, other: string) =>
    middle(timesOf(name).map((time, round) => time / timesOf(other)[round]!)).toFixed(2);
  const products = 2 * CHAIN * 2 * batch * length * spec.hidden * spec.intermediate;
  const rate = products / median('matmul') / 1e6;
  const flops = forwardFlops(backbone, batch, length);
  console.log(
    `\n${title}: ${spec.layers} x ${spec.hidden}, batch ${batch} x ${length}, prefix ${PREFIX}, ${threads} threads, pieces of ${rows} rows`,
  );
  console.log(`  matrix multiply       ${rate.toFixed(0).padStart(6)} GFLOP/s`);
  const row = (name: string, work: number) => {
    const ms = median(name);
    const achieved = work / ms / 1e6;
    console.log(
      `  ${name.padEnd(14)} ${ms.toFixed(0).padStart(6)} ms ${achieved.toFixed(0).padStart(6)} GFLOP/s = ` +
        `${((100 * achieved) / rate).toFixed(0)} % of the matrix multiply rate` +
        (name === 'forward' ? '' : `; ${ratio(name, 'forward')} x forward`),
    );
  };
  row('forward', flops);
  const oneState = oneStateFlops(backbone, batch, length);
  row('prefix step', 2 * oneState);
  if (full) row('full step', 3 * oneState);
  if ('reason' in torch) console.log(`  PyTorch: skipped, ${torch.reason}`);
  else {
    console.log(
      `  PyTorch ${torch.version}: forward ${median('PyTorch forward').toFixed(0)} ms, ` +
        `prefix step ${median('PyTorch step').toFixed(0)} ms`,
    );
    console.log(
      `  ours / PyTorch: forward ${ratio('forward', 'PyTorch forward')}, ` +
        `prefix step ${ratio('prefix step', 'PyTorch step')}`,
    );
    torch.close();
  }
  for (const program of [product, forward, step, fullProgram]) await program?.release();
}

/** A batch as `pieces` runs whose results are added up, as gradients are. */
async function inPieces(
  pieces: number,
  program: Program,
  feeds: Record<string, TensorData>,
): Promise<Record<string, TensorData>> {
  const total = await program.run(feeds);
  for (let piece = 1; piece < pieces; piece++) {
    const more = await program.run(feeds);
    for (const [name, { data }] of Object.entries(more)) {
      const sum = total[name]!.data as Float32Array;
      for (let i = 0; i < sum.length; i++) sum[i]! += (data as Float32Array)[i]!;
    }
  }
  return total;
}

/** One warm-up, then rounds in which everything runs once, so that drift hits all alike. */
async function interleave(timed: readonly Timed[]): Promise<void> {
  for (const { run } of timed) await run();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { run, times } of timed) {
      const begun = performance.now();
      await run();
      times.push(performance.now() - begun);
    }
  }
}

function middle(values: readonly number[]): number {
  return values.toSorted((x, y) => x - y)[Math.floor(values.length / 2)]!;
}

const scratch = join(tmpdir(), 'polyprompt-bench-base');
try {
  writeShape(scratch, { ...XLMR_BASE, vocab_size: 32_000 });
  await measure('XLM-R base shapes', openBackbone(scratch), 16, 128, true);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
const shipped = join(import.meta.dirname, '../models/polyprompt-mini');
await measure('polyprompt-mini', openBackbone(shipped), 32, 64, true);
console.log(`\npeak memory ${(process.resourceUsage().maxRSS / 1024 ** 2).toFixed(1)} GiB`);
