/** Products over 8-bit integers against sums that are done one by one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compile,
  Graph,
  type GraphError,
  gradients,
  matmulInt8,
  quantizeRows,
  reduceMean,
} from './index.ts';

interface Product {
  readonly x: Float32Array;
  readonly matrix: Int8Array;
  readonly scale: Float32Array;
  readonly inner: number;
}

function graphOf({ matrix, scale, inner }: Product) {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['B', 'S', inner]);
  const columns = scale.length;
  const y = matmulInt8(
    quantizeRows(x),
    graph.constant(matrix, 'int8', [inner, columns]),
    graph.constant(scale, 'float32', [columns]),
  );
  return { x, y };
}

async function run(product: Product, batches = 1): Promise<Float32Array> {
  const program = await compile({ y: graphOf(product).y }, { threads: 1, prepack: true });
  const { x, inner } = product;
  const { y } = await program.run({
    x: { data: x, shape: [batches, x.length / inner / batches, inner] },
  });
  await program.release();
  return y!.data as Float32Array;
}

/** To the nearest, halves to the even one, as processors round. */
function nearest(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function exactly({ x, matrix, scale, inner }: Product): number[] {
  const columns = scale.length;
  return Array.from({ length: x.length / inner }, (_, m) => {
    const row = x.subarray(m * inner, (m + 1) * inner);
    const reach = Math.max(...row.map(Math.abs), 1e-30);
    const perStep = Math.fround(127 / reach);
    const bytes = Array.from(row, (value) => nearest(Math.fround(value * perStep)));
    return Array.from(scale, (step, n) => {
      const sum = bytes.reduce((total, byte, k) => total + byte * matrix[k * columns + n]!, 0);
      return (sum * step * reach) / 127;
    });
  }).flat();
}

const products = fc
  .record({
    rows: fc.integer({ min: 1, max: 9 }),
    inner: fc.integer({ min: 1, max: 70 }),
    columns: fc.integer({ min: 1, max: 40 }),
  })
  .chain(({ rows, inner, columns }) =>
    fc.record({
      inner: fc.constant(inner),
      x: fc.float32Array({
        minLength: rows * inner,
        maxLength: rows * inner,
        min: -9,
        max: 9,
        noNaN: true,
      }),
      matrix: fc
        .array(fc.integer({ min: -127, max: 127 }), {
          minLength: inner * columns,
          maxLength: inner * columns,
        })
        .map((values) => Int8Array.from(values)),
      scale: fc
        .array(fc.integer({ min: 1, max: 99 }), { minLength: columns, maxLength: columns })
        .map((values) => Float32Array.from(values, (value) => value / 1000)),
    }),
  );

function expectNear(found: ArrayLike<number>, wanted: readonly number[], size: number): void {
  expect(found).toHaveLength(wanted.length);
  const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0);
  expect(worst).toBeLessThanOrEqual(size * 1e-5);
}

describe('matmulInt8', () => {
  it('adds up the bytes of every row and column', async () => {
    await fc.assert(
      fc.asyncProperty(products, async (product) => {
        const reach = Math.max(...product.x.map(Math.abs), 1e-9);
        const size = product.inner * reach * Math.max(...product.scale) * 127;
        expectNear(await run(product), exactly(product), size);
      }),
      { numRuns: 40 },
    );
  });

  it('loses nothing of the largest sums, whatever the processor', async () => {
    const inner = 512;
    const columns = 48;
    const product: Product = {
      inner,
      x: new Float32Array(33 * inner).fill(2),
      matrix: Int8Array.from({ length: inner * columns }, (_, i) =>
        i % columns < 24 ? 127 : -127,
      ),
      scale: new Float32Array(columns).fill(1 / 127),
    };
    expectNear(await run(product), exactly(product), inner);
  });

  it('gives a row the same bits alone and between others', async () => {
    const inner = 96;
    const matrix = Int8Array.from({ length: inner * 20 }, (_, i) => ((i * 37) % 255) - 127);
    const scale = new Float32Array(20).fill(0.01);
    const row = Float32Array.from({ length: inner }, (_, i) => Math.sin(i));
    const others = Float32Array.from({ length: 5 * inner }, (_, i) => 1000 * Math.cos(i));
    const alone = await run({ x: row, matrix, scale, inner });
    const x = Float32Array.of(...others, ...row);
    const between = await run({ x, matrix, scale, inner }, 2);
    expect(between.subarray(5 * 20)).toEqual(alone);
  });

  it('takes a row of zeros for zeros', async () => {
    const found = await run({
      inner: 3,
      x: new Float32Array(6),
      matrix: Int8Array.of(1, 2, 3, 4, 5, 6),
      scale: Float32Array.of(1, 1),
    });
    expect([...found].map(Math.abs)).toEqual([0, 0, 0, 0]);
  });

  it('refuses shapes that do not fit, and numbers that are no bytes', () => {
    const graph = new Graph();
    const rows = quantizeRows(graph.input('x', 'float32', ['B', 4]));
    const scale = graph.input('scale', 'float32', [2]);
    const matrix = (name: string, dtype: 'int8' | 'float32', inner: number) =>
      matmulInt8(rows, graph.input(name, dtype, [inner, 2]), scale);
    expect(() => matrix('a', 'int8', 5)).toThrow(
      'matmulInt8: [B, 4] x [5, 2] with column scales [2]',
    );
    expect(() => matrix('b', 'float32', 4)).toThrow('rows must be uint8 and the matrix int8');
  });

  it('has no gradient, and says so when a graph is differentiated', () => {
    const { x, y } = graphOf({
      inner: 2,
      x: new Float32Array(2),
      matrix: new Int8Array(2),
      scale: new Float32Array(1),
    });
    const differentiate = () => gradients(reduceMean(y), [x]);
    expect(differentiate).toThrow(
      /8-bit integers, which has no gradient; build the graph in float32/,
    );
    expect(differentiate).toThrow(
      expect.objectContaining({ code: 'no_gradient' } satisfies Partial<GraphError>),
    );
  });
});
