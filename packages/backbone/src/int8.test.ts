/** int8 matrices: which parts of the graph they are, what they cost in accuracy, and that company changes nothing. */
import { describe, expect, it } from 'vitest';
import { resolveFor } from './device.ts';
import { servingGraph } from './graphs/serving.ts';
import type { Precision } from './graphs/weights.ts';
import { openBackbone } from './open.ts';
import { Predictor, type PredictRow, type PromptTensors } from './predictor.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { writeTinyBackbone } from './testing/tiny-backbone.ts';

const FAMILIES = ['roberta', 'bert', 'xglm'] as const;
type Family = (typeof FAMILIES)[number];
/**
 * Of the spread of the logits. A byte is off by up to 1/254 of the largest value beside it, in weights and in inputs;
 * over three layers of random weights, which forgive less than trained ones, that grows.
 */
const TOLERANCE = 0.1;
/** Like that of float32: what is left comes from the head, which is float32. */
const COMPANY = 1e-5;

function open(family: Family, dtype: 'F32' | 'F16' | 'BF16' = 'F32') {
  const dir = temporaryFolder();
  writeTinyBackbone(dir, { family, hidden: 64, layers: 3, std: 0.2, dtype, maxPositions: 300 });
  return openBackbone(dir);
}
type Opened = ReturnType<typeof open>;

const noise = (shape: number[], scale: number, seed = 0) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
    Math.fround(scale * Math.sin(i * 12.9898 + shape.length + seed)),
  ),
});

/** Texts of many lengths, each with a prompt of its own; some with a prefix, some without. */
function mixedRows({ spec }: Opened): PredictRow[] {
  const { family, layers, heads, headDim, hidden } = spec;
  return [3, 9, 30, 5, 100, 141, 17, 64, 2].map((length, i) => {
    const own = [16, 0, 5, 33, 16, 1, 100, 16, 3][i]!;
    const prompt: PromptTensors = {
      ...(own > 0 ? { prefix: noise([layers, 2, heads, own, headDim], 1, i) } : {}),
      headWeight: noise([hidden, 2 + (i % 3)], 0.5, i),
      headBias: noise([2 + (i % 3)], 1, i),
      pooling: family === 'xglm' ? 'last' : i % 2 === 0 ? 'first' : 'mean',
      positions: 'shifted',
    };
    return { ids: Array.from({ length }, (_, j) => 4 + ((j * 5 + 3 * i) % 20)), prompt };
  });
}

async function withPredictor<T>(
  backbone: Opened,
  precision: Precision,
  use: (predictor: Predictor) => Promise<T>,
): Promise<T> {
  const predictor = new Predictor(backbone, { device: 'cpu', threads: 1, precision });
  const result = await use(predictor);
  await predictor.release();
  return result;
}

const logits = (backbone: Opened, precision: Precision, rows: readonly PredictRow[]) =>
  withPredictor(backbone, precision, async (predictor) =>
    (await predictor.predict(rows)).map(({ pooled, tokens }) => [...pooled, ...tokens]),
  );

function worst(a: readonly number[][], b: readonly number[][]): number {
  return Math.max(...a.flatMap((row, r) => row.map((value, i) => Math.abs(value - b[r]![i]!))));
}

describe.each(FAMILIES)('int8 matrices of %s', (family) => {
  it('are those of the linear layers, and stand in place of the float ones', () => {
    const { spec, checkpoint } = open(family);
    const { graph } = servingGraph(spec, checkpoint, 'prefix', { precision: 'int8' }).states;
    const matrices = graph.values.filter(({ dtype }) => dtype === 'int8');
    expect(matrices).toHaveLength(6 * spec.layers);
    const stored = graph.values.filter(({ source }) => source.kind === 'external');
    const floats = stored.filter(({ shape }) => shape.length === 2).map(({ name }) => name);
    expect(floats.every((name) => name.startsWith('embeddings.'))).toBe(true);
    // Query, key and value read the same bytes.
    const quantized = graph.nodes.filter(({ operator }) => operator.type === 'QuantizeLinear');
    expect(quantized).toHaveLength(4 * spec.layers);
  });

  it.each(['F32', 'F16', 'BF16'] as const)(
    'give nearly the answers of float32, from %s',
    async (dtype) => {
      const backbone = open(family, dtype);
      const rows = mixedRows(backbone);
      const wanted = await logits(backbone, 'float32', rows);
      const found = await logits(backbone, 'int8', rows);
      const size = Math.max(...wanted.flat().map(Math.abs));
      expect(worst(wanted, found)).toBeLessThan(TOLERANCE * size);
      expect(worst(wanted, found)).toBeGreaterThan(0);
    },
  );

  it('answer a row alone as in any company, whatever the lengths of texts and prompts', async () => {
    const backbone = open(family);
    const rows = mixedRows(backbone);
    await withPredictor(backbone, 'int8', async (predictor) => {
      const mixed = await predictor.predict(rows);
      for (const [i, row] of rows.entries()) {
        const [alone] = await predictor.predict([row]);
        const beside = await predictor.predict([rows[(i + 1) % rows.length]!, row]);
        for (const company of [mixed[i]!, beside[1]!]) {
          expect(worst([[...company.pooled]], [[...alone!.pooled]])).toBeLessThan(COMPANY);
          expect(worst([[...company.tokens]], [[...alone!.tokens]])).toBeLessThan(COMPANY);
        }
      }
    });
  });
});

it('int8 with soft prompts and dense layers answers nearly as float32', async () => {
  const backbone = open('roberta');
  const { hidden } = backbone.spec;
  const prompt: PromptTensors = {
    softPrompt: noise([4, hidden], 0.5),
    denseWeight: noise([hidden, hidden], 0.1),
    denseBias: noise([hidden], 0.1),
    headWeight: noise([hidden, 3], 0.5),
    headBias: noise([3], 1),
    pooling: 'first',
    positions: 'shifted',
  };
  const rows = [
    [4, 5, 6],
    [7, 8, 9, 10, 11],
  ].map((ids) => ({ ids, prompt }));
  const wanted = await logits(backbone, 'float32', rows);
  const found = await logits(backbone, 'int8', rows);
  const size = Math.max(...wanted.flat().map(Math.abs));
  expect(worst(wanted, found)).toBeLessThan(TOLERANCE * size);
});

it('int8 of more than a graph can hold is refused with the number of weights', () => {
  const { spec, checkpoint } = open('roberta');
  const name = 'layers.0.mlp.up.weight';
  const ref = { ...checkpoint.tensors.get(name)!, shape: [60_000, 40_000] };
  const large = { ...checkpoint, tensors: new Map(checkpoint.tensors).set(name, ref) };
  expect(() => servingGraph(spec, large, 'prefix', { precision: 'int8' })).toThrow(
    expect.objectContaining({
      code: 'bad_option',
      message: expect.stringMatching(/have 2400\d+ weights.*may be 2130706432; use "float32"/),
    }),
  );
});

it('int8 is refused on a GPU, named or found, with what to do', () => {
  const library = import.meta.filename;
  for (const choice of ['auto', 'cuda'] as const) {
    expect(() => resolveFor(choice, 'int8', library)).toThrow(
      expect.objectContaining({
        code: 'bad_option',
        message: expect.stringMatching(/"int8" is for CPUs.*use device "cpu".*float16/),
      }),
    );
  }
  expect(resolveFor('cpu', 'int8', library)).toBe('cpu');
  expect(resolveFor('auto', 'int8', `${library}.missing`)).toBe('cpu');
  expect(resolveFor('cuda', 'float16', library)).toBe('cuda');
});
