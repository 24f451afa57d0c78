/** Computing the last layer for one state alone changes no loss, logit or gradient. */
import { compile, type TensorData } from '@polyprompt/autodiff';
import { describe, expect, it } from 'vitest';
import { openBackbone } from '../open.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { writeTinyBackbone } from '../testing/tiny-backbone.ts';
import { type PoolingRule, poolWeights, tokenBatch } from './batch.ts';
import { type TuningMethod, trainingGraph } from './training.ts';
import { WEIGHT_INPUT, weightFolder } from './weights.ts';

const LENGTH = 3;
const CLASSES = 4;
const ROWS = [
  [5, 6, 7, 8, 9],
  [10, 11],
  [12, 13, 14],
];

describe.each(['roberta', 'bert', 'xglm'] as const)('%s with one state', (family) => {
  it.each([
    ['prefix', 'first'],
    ['prefix', 'last'],
    ['soft', 'last'],
    ['full', 'first'],
  ] as const)('%s, %s: as with all states', async (method, pooling) => {
    const all = await outputs(family, method, pooling, false);
    const one = await outputs(family, method, pooling, true);
    expect(Object.keys(one)).toEqual(Object.keys(all));
    for (const [name, { data, shape }] of Object.entries(all)) {
      expect(one[name]!.shape).toEqual(shape);
      const expected = data as Float32Array;
      const worst = expected.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - Number(one[name]!.data[i]))),
        0,
      );
      expect(worst, name).toBeLessThan(2e-5);
    }
    const gradient = all['grad:head_weight']!.data as Float32Array;
    expect(gradient.some((value) => Math.abs(value) > 1e-3)).toBe(true);
  });
});

async function outputs(
  family: 'roberta' | 'bert' | 'xglm',
  method: TuningMethod,
  pooling: PoolingRule,
  oneState: boolean,
): Promise<Record<string, TensorData>> {
  const folder = temporaryFolder();
  writeTinyBackbone(folder, { family });
  const { spec, checkpoint } = openBackbone(folder);
  const options = { method, loss: 'pooled', length: LENGTH, classes: CLASSES } as const;
  const graph = trainingGraph(spec, checkpoint, { ...options, usePooler: false, oneState });
  const program = await compile(graph.outputs, { externalFolder: weightFolder(checkpoint) });
  const soft = method === 'soft' ? LENGTH : 0;
  const promptLength = method === 'full' ? 0 : LENGTH;
  const tokens = tokenBatch(
    spec,
    ROWS.map((ids) => ({ ids, promptLength, positions: 'shifted' })),
    soft,
  );
  const batch = ROWS.length;
  const total = tokens.attention_mask.shape[1]!;
  const target = new Float32Array(batch * CLASSES);
  for (let b = 0; b < batch; b++) target[b * CLASSES + b] = 1;
  const feeds: Record<string, TensorData> = {
    ...tokens,
    pool_weights: poolWeights(
      ROWS.map((ids) => ({ ids, pooling })),
      total,
      soft,
    ),
    head_dropout: filled([batch, spec.hidden], () => 1),
    target: { data: target, shape: [batch, CLASSES] },
    loss_weight: filled([batch], () => 1),
  };
  for (const [name, { dtype, shape }] of program.inputs) {
    if (feeds[name] || dtype !== 'float32') continue;
    const norm = name.startsWith(WEIGHT_INPUT) && name.endsWith('norm.weight');
    feeds[name] = filled(shape as number[], (i) => Number(norm) + 0.1 * Math.sin(7 * i + 1));
  }
  const result = await program.run(feeds);
  await program.release();
  return result;
}

function filled(shape: readonly number[], value: (i: number) => number): TensorData {
  const count = shape.reduce((product, size) => product * size, 1);
  return { data: Float32Array.from({ length: count }, (_, i) => value(i)), shape };
}
