/** A decoder's soft prompt against the prefix that it is compiled into. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Backbone, openBackbone } from '../open.ts';
import { Predictor, type PromptTensors } from '../predictor.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { writeTinyBackbone } from '../testing/tiny-backbone.ts';
import { compileSoftPrompt } from './compile-soft.ts';

const shared = join(import.meta.dirname, '../../../../../shared/fixtures/backbones/xglm');

function numbers(count: number, scale: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => scale * Math.sin((i + 1) * (seed + 1.7)));
}

/** Worst deviation of the logits over rows of these lengths. */
async function deviation(backbone: Backbone, length: number, rows: readonly number[], seed = 1) {
  const { hidden, vocabSize } = backbone.spec;
  const softPrompt = { shape: [length, hidden], data: numbers(length * hidden, 0.8, seed) };
  const head = {
    headWeight: { shape: [hidden, 3], data: numbers(hidden * 3, 0.5, seed + 1) },
    headBias: { shape: [3], data: numbers(3, 0.1, seed) },
    pooling: 'last',
    positions: 'shifted',
  } as const;
  const prefix = await compileSoftPrompt(backbone, softPrompt);
  const predictor = new Predictor(backbone, { device: 'cpu' });
  const predict = (prompt: PromptTensors) =>
    predictor.predict(
      rows.map((count) => ({
        ids: Array.from({ length: count }, (_, i) => 4 + ((i * 7 + seed) % (vocabSize - 4))),
        prompt,
      })),
    );
  const [soft, compiled] = [
    await predict({ ...head, softPrompt }),
    await predict({ ...head, prefix }),
  ];
  await predictor.release();
  const differences = soft.flatMap(({ pooled, tokens }, b) => [
    ...pooled.map((value, i) => Math.abs(value - compiled[b]!.pooled[i]!)),
    ...tokens.map((value, i) => Math.abs(value - compiled[b]!.tokens[i]!)),
  ]);
  return Math.max(...differences);
}

describe('a compiled soft prompt', () => {
  it('gives the same outputs on a tiny decoder, whatever its length and the rows', async () => {
    const dir = join(temporaryFolder(), 'xglm');
    writeTinyBackbone(dir, { family: 'xglm', hidden: 16, layers: 3, std: 0.3 });
    const backbone = openBackbone(dir);
    const rows = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        rows,
        fc.nat(99),
        async (length, of, seed) => {
          expect(await deviation(backbone, length, of, seed)).toBeLessThan(1e-4);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('is refused for encoders', async () => {
    const dir = join(temporaryFolder(), 'roberta');
    writeTinyBackbone(dir, { family: 'roberta' });
    const soft = { shape: [2, 16], data: numbers(32, 1, 1) };
    await expect(compileSoftPrompt(openBackbone(dir), soft)).rejects.toThrow(/is an encoder/);
  });

  it.skipIf(!existsSync(shared))('does on the reference folder (needs ../shared)', async () => {
    expect(await deviation(openBackbone(shared), 5, [3, 9, 1])).toBeLessThan(1e-4);
  });
});
