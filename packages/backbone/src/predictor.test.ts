/** Mixed batches: every row gets exactly what it would get alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Family } from './config.ts';
import type { PoolingRule } from './graphs/batch.ts';
import { type Backbone, openBackbone } from './open.ts';
import { Predictor, type PredictRow, type PromptTensors } from './predictor.ts';
import { writeTinyBackbone } from './testing/tiny-backbone.ts';

const folder = mkdtempSync(join(tmpdir(), 'polyprompt-predictor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let seed = 1;
function random(shape: number[], scale = 1) {
  const count = shape.reduce((a, b) => a * b, 1);
  seed += 1;
  const data = Float32Array.from({ length: count }, (_, i) => scale * Math.sin(i * 12.9898 + seed));
  return { shape, data };
}

function prompt(
  { spec }: Backbone,
  kind: 'prefix' | 'soft' | 'head',
  length: number,
  classes: number,
  pooling: PoolingRule = 'first',
): PromptTensors {
  return {
    ...(kind === 'prefix'
      ? { prefix: random([spec.layers, 2, spec.heads, length, spec.headDim]) }
      : {}),
    ...(kind === 'soft' ? { softPrompt: random([length, spec.hidden]) } : {}),
    headWeight: random([spec.hidden, classes], 0.5),
    headBias: random([classes]),
    pooling,
    positions: 'shifted',
  };
}

function withDense({ spec: { hidden } }: Backbone, of: PromptTensors): PromptTensors {
  return { ...of, denseWeight: random([hidden, hidden], 0.3), denseBias: random([hidden]) };
}

const ids = (length: number, first = 0) =>
  Array.from({ length }, (_, i) => (i === 0 ? 0 : 4 + ((i * 5 + first) % 20)));

const closeTo = (actual: Float32Array, expected: Float32Array) => {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThan(2e-5);
  });
};

for (const family of ['roberta', 'bert', 'xglm'] satisfies Family[]) {
  describe(`predicting with ${family}`, () => {
    let backbone: Backbone;
    let predictor: Predictor;
    const pooling: PoolingRule = family === 'xglm' ? 'last' : 'first';

    beforeAll(() => {
      const dir = join(folder, family);
      const pooler = family === 'roberta' ? { pooler: true } : {};
      writeTinyBackbone(dir, { family, hidden: 24, heads: 3, layers: 3, std: 0.3, ...pooler });
      backbone = openBackbone(dir);
      predictor = new Predictor(backbone, { device: 'cpu' });
    });
    afterAll(() => predictor.release());

    it('puts the pooled state through the dense layer of its prompt, and reads the virtual one', async () => {
      const { hidden } = backbone.spec;
      const identity = Float32Array.from({ length: hidden * hidden }, (_, i) =>
        Number(i % (hidden + 1) === 0),
      );
      const raw: PromptTensors = {
        ...prompt(backbone, 'soft', 3, 1, 'virtual'),
        headWeight: { shape: [hidden, hidden], data: identity },
        headBias: { shape: [hidden], data: new Float32Array(hidden) },
      };
      const dense = withDense(backbone, raw);
      const [one, two, first] = await predictor.predict([
        { ids: ids(5), prompt: raw },
        { ids: ids(5), prompt: dense },
        { ids: ids(5), prompt: { ...raw, pooling: 'first' } },
      ]);
      const expected = Float32Array.from({ length: hidden }, (_, o) => {
        const sum = one!.pooled.reduce(
          (total, value, i) => total + value * dense.denseWeight!.data[i * hidden + o]!,
          dense.denseBias!.data[o]!,
        );
        return Math.tanh(sum);
      });
      closeTo(two!.pooled, expected);
      expect(first!.pooled).not.toEqual(one!.pooled);
    });

    it('gives a row of a mixed batch what it would get alone', async () => {
      const rows: PredictRow[] = [
        { ids: ids(9), prompt: prompt(backbone, 'prefix', 5, 3, pooling) },
        { ids: ids(4, 3), prompt: prompt(backbone, 'prefix', 2, 7, 'mean') },
        { ids: ids(12, 1), prompt: prompt(backbone, 'soft', 4, 2, pooling) },
        { ids: ids(6, 2), prompt: prompt(backbone, 'head', 0, 4, pooling) },
        { ids: ids(5, 7), prompt: prompt(backbone, 'soft', 1, 3, 'mean') },
        { ids: ids(7, 5), prompt: prompt(backbone, 'prefix', 5, 2, pooling) },
        { ids: ids(8, 4), prompt: prompt(backbone, 'soft', 2, 3, 'virtual') },
        { ids: ids(3, 6), prompt: withDense(backbone, prompt(backbone, 'prefix', 3, 2, pooling)) },
        { ids: ids(6, 8), prompt: withDense(backbone, prompt(backbone, 'prefix', 1, 5, pooling)) },
        { ids: ids(5, 2), prompt: withDense(backbone, prompt(backbone, 'soft', 6, 2, 'virtual')) },
      ];
      const mixed = await predictor.predict(rows);
      for (const [i, row] of rows.entries()) {
        const [alone] = await predictor.predict([row]);
        closeTo(mixed[i]!.pooled, alone!.pooled);
        closeTo(mixed[i]!.tokens, alone!.tokens);
        expect(mixed[i]!.tokens).toHaveLength(row.ids.length * row.prompt.headBias.data.length);
      }
    });

    it('depends on the prefix, and on every position of it', async () => {
      const own = prompt(backbone, 'prefix', 3, 2, pooling);
      const [base] = await predictor.predict([{ ids: ids(8), prompt: own }]);
      const { headDim } = backbone.spec;
      for (let position = 0; position < 3; position++) {
        const prefix = { ...own.prefix!, data: own.prefix!.data.slice() };
        prefix.data.fill(0.9, position * headDim, (position + 1) * headDim);
        const [moved] = await predictor.predict([{ ids: ids(8), prompt: { ...own, prefix } }]);
        expect(moved!.pooled).not.toEqual(base!.pooled);
      }
    });

    it('shifts positions by the prefix, unless the prompt says otherwise', async () => {
      const shifted = prompt(backbone, 'prefix', 3, 2, pooling);
      const unshifted: PromptTensors = { ...shifted, positions: 'unshifted' };
      const [a, b] = await predictor.predict([
        { ids: ids(6), prompt: shifted },
        { ids: ids(6), prompt: unshifted },
      ]);
      expect(a!.pooled).not.toEqual(b!.pooled);
    });
  });
}

it('sends rows through the pooler only where their prompt asks', async () => {
  const dir = join(folder, 'pooled');
  writeTinyBackbone(dir, { family: 'roberta', hidden: 16, heads: 2, pooler: true, std: 0.3 });
  const backbone = openBackbone(dir);
  const predictor = new Predictor(backbone, { device: 'cpu' });
  const raw = prompt(backbone, 'head', 0, 2, 'first');
  const [plain, pooled] = await predictor.predict([
    { ids: ids(6), prompt: raw },
    { ids: ids(6), prompt: { ...raw, pooling: 'pooler' } },
  ]);
  expect(plain!.pooled).not.toEqual(pooled!.pooled);
  await predictor.release();
});
