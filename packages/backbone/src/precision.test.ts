/** Half-precision matrices: which parts of the graph they are, and what they cost in accuracy. */
import { compile, Graph, matmul } from '@polyprompt/autodiff';
import { describe, expect, it } from 'vitest';
import { onDevice, precisionOf, providersOf, usableDevice } from './device.ts';
import { servingGraph } from './graphs/serving.ts';
import { openBackbone } from './open.ts';
import { Predictor, type PredictRow } from './predictor.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { writeTinyBackbone } from './testing/tiny-backbone.ts';

const FAMILIES = ['roberta', 'bert', 'xglm'] as const;
/** A half has 11 bits: errors of 5e-4 of a value, growing over a few layers. */
const TOLERANCE = 1e-2;

function open(family: (typeof FAMILIES)[number], dtype: 'F32' | 'F16' = 'F32') {
  const dir = temporaryFolder();
  writeTinyBackbone(dir, { family, hidden: 32, layers: 3, std: 0.2, dtype });
  return openBackbone(dir);
}

const noise = (shape: number[], scale: number) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
    Math.fround(scale * Math.sin(i * 12.9898 + shape.length)),
  ),
});

describe.each(FAMILIES)('float16 matrices of %s', (family) => {
  it('are those of the linear layers; all else stays float32', () => {
    const { spec, checkpoint } = open(family);
    const { outputs } = servingGraph(spec, checkpoint, 'prefix', { precision: 'float16' });
    const half = outputs.pooled_logits!.graph.nodes.filter(
      ({ outputs: [value] }) => value?.dtype === 'float16',
    );
    const operators = half.map(({ operator }) => operator.type);
    // Of each of the six matrices of a layer: itself, its input, its product.
    const matrices = 6 * spec.layers;
    expect(operators.filter((name) => name === 'Cast')).toHaveLength(2 * matrices);
    expect(operators.filter((name) => name !== 'Cast')).toHaveLength(matrices);
    expect(Object.values(outputs).map(({ dtype }) => dtype)).toEqual(['float32', 'float32']);
  });

  it.each(['F32', 'F16'] as const)(
    'give the answers of float32, from weights in %s',
    async (dtype) => {
      const backbone = open(family, dtype);
      const { layers, heads, headDim, hidden } = backbone.spec;
      const rows: PredictRow[] = [3, 9, 5].map((length) => ({
        ids: Array.from({ length }, (_, i) => 4 + ((i * 5 + length) % 20)),
        prompt: {
          prefix: noise([layers, 2, heads, length, headDim], 1),
          headWeight: noise([hidden, 4], 0.5),
          headBias: noise([4], 1),
          pooling: family === 'xglm' ? 'last' : 'first',
          positions: 'shifted',
        },
      }));
      const logits = async (precision: 'float16' | 'float32') => {
        const predictor = new Predictor(backbone, { device: 'cpu', threads: 1, precision });
        const results = await predictor.predict(rows);
        await predictor.release();
        return results.flatMap(({ pooled, tokens }) => [...pooled, ...tokens]);
      };
      const [wanted, found] = [await logits('float32'), await logits('float16')];
      const size = Math.max(...wanted.map(Math.abs));
      const errors = wanted.map((value, i) => Math.abs(value - found[i]!) / size);
      expect(Math.max(...errors)).toBeLessThan(TOLERANCE);
      // The CPU has no such kernels and leaves out roundings of activations, so what is left is that of the weights.
      if (dtype === 'F32') expect(Math.max(...errors)).toBeGreaterThan(0);
    },
  );
});

const HAS_GPU = (await usableDevice('auto')) === 'cuda';

describe('a device', () => {
  const make = (device: 'cpu' | 'cuda') => {
    const x = new Graph().input('x', 'float32', ['N', 2]);
    return compile({ y: matmul(x, x, { transB: true }) }, { providers: providersOf(device) });
  };

  it('computes in float16 where that is fast', () => {
    expect([precisionOf('cuda'), precisionOf('cpu')]).toEqual(['float16', 'float32']);
  });

  it.skipIf(HAS_GPU)(
    'that cannot be used after all is replaced, or refused where it was named (skipped with a GPU)',
    async () => {
      const { device, made } = await onDevice('auto', 'cuda', make);
      expect(device).toBe('cpu');
      await made.release();
      await expect(onDevice('cuda', 'cuda', make)).rejects.toMatchObject({
        code: 'device_unavailable',
        message: expect.stringMatching(/cannot be used \(.*Cuda.*\); "nvidia-smi".*device "cpu"/),
      });
    },
  );

  it('does not hide an error that has nothing to do with it', async () => {
    const broken = () => Promise.reject(new Error('no such graph'));
    await expect(onDevice('auto', 'cpu', broken)).rejects.toThrow('no such graph');
    await expect(onDevice('auto', 'cuda', broken)).rejects.toThrow('no such graph');
  });
});
