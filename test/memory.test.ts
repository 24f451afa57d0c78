/**
 * Memory at the size that people deploy: XLM-R base with its 250,002-word vocabulary, 1.1 GB of
 * weights. Each measurement is a process of its own; Linux only, where /proc tells.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeShape, XLMR_BASE } from '../bench/shapes.ts';

const GIB = 1024 ** 2;
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-memory-'));
const backbone = join(folder, 'xlmr-base');
const root = join(import.meta.dirname, '..');

/** Runs a script and returns fields of its /proc/self/status, in KiB. */
function statusOf(name: string, body: string): Record<string, number> {
  const script = join(folder, `${name}.ts`);
  writeFileSync(
    script,
    `import { readFileSync } from 'node:fs';
import { compile } from ${JSON.stringify(join(root, 'packages/autodiff/src/index.ts'))};
import { openBackbone, Predictor, trainingGraph, weightFolder } from ${JSON.stringify(join(root, 'packages/backbone/src/index.ts'))};
import { denseBatch, filled, noise } from ${JSON.stringify(join(root, 'bench/shapes.ts'))};
const backbone = openBackbone(${JSON.stringify(backbone)});
const { spec, checkpoint } = backbone;
${body}
console.log(readFileSync('/proc/self/status', 'utf8'));`,
  );
  const { stdout, stderr, status } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const fields = [...stdout.matchAll(/^(\w+):\s+(\d+) kB$/gm)];
  return Object.fromEntries(fields.map(([, key, value]) => [key, Number(value)]));
}

describe.skipIf(!existsSync('/proc/self/status'))('memory with XLM-R base (needs /proc)', () => {
  beforeAll(() => writeShape(backbone, XLMR_BASE));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('trains a prefix with batch 16 x 128 in less than 6 GB', { timeout: 180_000 }, () => {
    const peak = statusOf(
      'train',
      `const graph = trainingGraph(spec, checkpoint, { method: 'prefix', loss: 'pooled', length: 16, classes: 3, usePooler: false });
const program = await compile(graph.outputs, { externalFolder: weightFolder(checkpoint) });
await program.run({
  ...denseBatch(spec, 16, 128, 16),
  prefix: noise([1, spec.layers, 2, spec.heads, 16, spec.headDim], 0.1),
  head_weight: noise([1, spec.hidden, 3], 0.05),
  head_bias: filled([1, 3], 0),
  head_dropout: filled([16, spec.hidden], 1),
  target: filled([16, 3], 1 / 3),
  loss_weight: filled([16], 1 / 16),
});`,
    );
    expect(peak.VmHWM! / GIB).toBeLessThan(6);
  });

  it('serves without a second copy of the weights', { timeout: 120_000 }, () => {
    const now = statusOf(
      'serve',
      `const prompt = {
  headWeight: { shape: [spec.hidden, 2], data: new Float32Array(spec.hidden * 2) },
  headBias: { shape: [2], data: new Float32Array(2) },
  pooling: 'first', positions: 'shifted',
};
const predictor = new Predictor(backbone, { device: 'cpu' });
await predictor.predict([{ ids: [0, 5, 6, 2], prompt }]);`,
    );
    // Anonymous memory is what was copied; the weights themselves are pages of the file.
    expect(now.RssAnon! / GIB).toBeLessThan(0.5);
  });
});
