/**
 * Every vector-Jacobian rule against central finite differences, on random shapes, through the
 * same runtime that trains. Operators with float64 kernels are checked in float64; for those
 * without (marked), float32 with a step and tolerance that its rounding allows.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  add,
  compile,
  concat,
  crossEntropy,
  type DType,
  div,
  erf,
  exp,
  expandLike,
  type Feeds,
  flatten,
  Graph,
  gather,
  gelu,
  gradients,
  identity,
  layerNorm,
  log,
  logSoftmax,
  matmul,
  mul,
  neg,
  reduceMean,
  reduceSum,
  relu,
  repeatLike,
  reshape,
  reshapeLike,
  type Shape,
  sigmoid,
  slice,
  softmax,
  split,
  sqrt,
  sub,
  tanh,
  transpose,
  unsqueeze,
  type Value,
  where,
} from './index.ts';
import { greater } from './ops/elementwise.ts';

/** Deterministic numbers in (-1, 1), away from zero by `gap`. */
function noise(seed: number, count: number, gap = 0): number[] {
  let state = seed >>> 0 || 1;
  return Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const u = ((state >>> 0) / 2 ** 32) * 2 - 1;
    return u + Math.sign(u || 1) * gap;
  });
}

const size = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);

interface Case {
  /** Concrete shapes of the differentiable inputs. */
  readonly shapes: readonly (readonly number[])[];
  /** Symbolic shapes to declare instead of the concrete ones. */
  readonly declared?: readonly Shape[];
  readonly build: (inputs: readonly Value[]) => Value;
  /** Moves the random inputs into the operator's domain. */
  readonly domain?: (x: number) => number;
}

async function check(test: Case, seed: number, dtype: DType): Promise<void> {
  const graph = new Graph();
  const inputs = test.shapes.map((shape, i) =>
    graph.input(`x${i}`, dtype, test.declared?.[i] ?? shape),
  );
  const y = test.build(inputs);
  const weights = graph.input('weights', dtype, y.shape);
  const loss = reduceSum(mul(y, weights));
  const grads = gradients(loss, inputs);
  const outputs: Record<string, Value> = { y, loss };
  grads.forEach((g, i) => {
    expect(g.shape, `shape of gradient ${i}`).toEqual(inputs[i]!.shape);
    outputs[`g${i}`] = g;
  });
  const probe = new Graph();
  const probeInputs = test.shapes.map((shape, i) =>
    probe.input(`x${i}`, dtype, test.declared?.[i] ?? shape),
  );
  const probeY = test.build(probeInputs);
  const shapeProgram = await compile({ y: probeY });
  const array = (values: number[]) =>
    dtype === 'float64' ? Float64Array.from(values) : Float32Array.from(values);
  const feeds: Record<string, Feeds[string]> = {};
  test.shapes.forEach((shape, i) => {
    const values = noise(seed * 31 + i, size(shape)).map((x) => test.domain?.(x) ?? x);
    feeds[`x${i}`] = { data: array(values), shape };
  });
  const { y: result } = await shapeProgram.run(feeds);
  await shapeProgram.release();
  const program = await compile(outputs);
  feeds.weights = { data: array(noise(seed + 7, result!.data.length)), shape: result!.shape };
  const base = await program.run(feeds);

  const step = dtype === 'float64' ? 1e-5 : 2e-2;
  const tolerance = dtype === 'float64' ? 1e-7 : 4e-3;
  for (const [i, shape] of test.shapes.entries()) {
    const direction = noise(seed * 17 + i + 3, size(shape));
    const lossAt = async (t: number) => {
      const moved = feeds[`x${i}`]!.data as Float64Array;
      const data = array(Array.from(moved, (x, k) => x + t * direction[k]!));
      const { y: out } = await program.run({ ...feeds, [`x${i}`]: { data, shape } });
      // The weighted sum in double precision, so that only the operator's own rounding is left.
      const w = feeds.weights!.data as Float64Array;
      return (out!.data as Float64Array).reduce((s, value, k) => s + value * w[k]!, 0);
    };
    // Richardson extrapolation of the central difference: error O(step^4).
    const central = async (h: number) => ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
    const wide = await central(2 * step);
    const numeric = (4 * (await central(step)) - wide) / 3;
    const gradient = base[`g${i}`]!.data as Float64Array;
    const analytic = gradient.reduce((s, g, k) => s + g * direction[k]!, 0);
    const scale = Math.sqrt(gradient.reduce((s, g) => s + g * g, 0)) + 1;
    expect(Math.abs(analytic - numeric) / scale, `input ${i}`).toBeLessThan(tolerance);
  }
  await program.release();
}

const dims = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

/** Two shapes that broadcast: each drops leading axes or turns axes into 1. */
const broadcastPair = fc
  .tuple(dims, fc.infiniteStream(fc.integer({ min: 0, max: 5 })))
  .map(([shape, stream]) => {
    const shrink = () => {
      const drop = stream.next().value! === 0 ? 1 : 0;
      return shape.slice(drop).map((d) => (stream.next().value! < 2 ? 1 : d));
    };
    return [shrink(), shrink()] as const;
  });

function property(name: string, dtype: DType, arbitrary: fc.Arbitrary<Case>, numRuns = 12): void {
  it(`${name} (${dtype})`, async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, fc.integer({ min: 1, max: 1e6 }), (test, seed) =>
        check(test, seed, dtype),
      ),
      { numRuns },
    );
  });
}

const positive = (x: number) => Math.abs(x) + 0.5;

describe('elementwise rules', () => {
  const binary: [string, (a: Value, b: Value) => Value, ((x: number) => number)?][] = [
    ['add', add],
    ['sub', sub],
    ['mul', mul],
    ['div', div, positive],
  ];
  for (const [name, op, domain] of binary) {
    property(
      `${name} with broadcasting`,
      'float64',
      broadcastPair.map((shapes) => ({
        shapes,
        build: ([a, b]) => op(a!, b!),
        ...(domain ? { domain } : {}),
      })),
      25,
    );
  }
  const unary: [string, (x: Value) => Value, DType, ((x: number) => number)?][] = [
    ['neg', neg, 'float64'],
    ['exp', exp, 'float64'],
    ['log', log, 'float64', positive],
    ['sqrt', sqrt, 'float64', positive],
    ['tanh', tanh, 'float64'],
    ['sigmoid', sigmoid, 'float64'],
    ['identity', identity, 'float64'],
    ['relu', relu, 'float64', (x) => x + Math.sign(x) * 0.2],
    ['erf', erf, 'float32'],
    ['gelu', gelu, 'float32', (x) => x * 2],
  ];
  for (const [name, op, dtype, domain] of unary) {
    property(
      name,
      dtype,
      dims.map((shape) => ({
        shapes: [shape],
        build: ([x]) => op(x!),
        ...(domain ? { domain } : {}),
      })),
    );
  }
  property(
    'where with broadcasting',
    'float64',
    broadcastPair.map((shapes) => ({
      shapes,
      build: ([a, b]) => where(greater(a!, 0), mul(a!, b!), b!),
      domain: (x) => x + Math.sign(x) * 0.2,
    })),
  );
});

describe('matrix products', () => {
  const sizes = fc.record({
    m: fc.integer({ min: 1, max: 5 }),
    k: fc.integer({ min: 1, max: 5 }),
    n: fc.integer({ min: 1, max: 5 }),
    batch: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
    form: fc.constantFrom('both', 'left', 'right', 'ones'),
    transA: fc.boolean(),
    transB: fc.boolean(),
    alpha: fc.constantFrom(1, 0.5, -2),
  });
  property(
    'matmul: transposes, scale, batches, broadcasting',
    'float32',
    sizes.map(({ m, k, n, batch, form, transA, transB, alpha }) => {
      const a = transA ? [k, m] : [m, k];
      const b = transB ? [n, k] : [k, n];
      const ones = batch.map(() => 1);
      const shapes = [
        [...(form === 'right' ? [] : batch), ...a],
        [...(form === 'left' ? [] : form === 'ones' ? ones : batch), ...b],
      ];
      return { shapes, build: ([x, y]) => matmul(x!, y!, { transA, transB, alpha }) };
    }),
    60,
  );
});

describe('reductions and shapes', () => {
  const withAxis = dims.chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      fc.subarray(
        shape.map((_, i) => i),
        { minLength: 1 },
      ),
      fc.boolean(),
    ),
  );
  for (const [name, op] of [
    ['reduceSum', reduceSum],
    ['reduceMean', reduceMean],
  ] as const) {
    property(
      name,
      'float64',
      withAxis.map(([shape, axes, keepdims]) => ({
        shapes: [shape],
        build: ([x]) => op(mul(x!, x!), axes, { keepdims }),
      })),
    );
  }
  property(
    'transpose',
    'float64',
    dims.chain((shape) =>
      fc
        .shuffledSubarray(
          shape.map((_, i) => i),
          { minLength: shape.length },
        )
        .map((perm) => ({
          shapes: [shape],
          build: ([x]: readonly Value[]) => transpose(mul(x!, x!), perm),
        })),
    ),
  );
  property(
    'reshape, flatten and unsqueeze',
    'float64',
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })).map(([a, b]) => ({
      shapes: [[a, b, 2]],
      declared: [['A', 'B', 2]],
      build: ([x]) => {
        const flat = flatten(mul(x!, x!), 0, 1);
        const back = reshapeLike(mul(flat, flat), x!);
        return unsqueeze(reshape(back, ['A', 'B', 2, 1]), [0]);
      },
    })),
  );
  property(
    'concat and split at known and at symbolic sizes',
    'float64',
    fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })).map(([p, s]) => ({
      shapes: [
        [2, p, 3],
        [2, s, 3],
      ],
      declared: [
        [2, 'P', 3],
        [2, 'S', 3],
      ],
      build: ([a, b]) => {
        const long = concat([mul(a!, a!), b!], 1);
        const [first, second] = split(long, 2, [1, 2]);
        return concat([mul(first!, first!), second!], 2);
      },
    })),
  );
  property(
    'slice',
    'float64',
    fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 3 })).map(([start, n]) => ({
      shapes: [[3, 6, 2]],
      declared: [['B', 6, 2]],
      build: ([x]) => slice(mul(x!, x!), 1, start, start + n),
    })),
  );
  property(
    'repeatLike',
    'float64',
    dims.map((a) => ({
      shapes: [a, [3, 2]],
      build: ([x, y]) => mul(repeatLike(mul(x!, x!), y!), reduceSum(y!)),
    })),
  );
  property(
    'expandLike',
    'float64',
    dims.map((a) => ({
      shapes: [a.map(() => 1), a],
      build: ([x, y]) => mul(expandLike(x!, y!), y!),
    })),
  );
});

describe('normalisation, indexing and losses', () => {
  const wide = fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 2, max: 7 }))
    .map(([rows, columns]) => [2, rows, columns]);
  property(
    'softmax',
    'float64',
    wide.map((s) => ({ shapes: [s], build: ([x]) => softmax(x!) })),
  );
  property(
    'logSoftmax',
    'float64',
    wide.map((s) => ({ shapes: [s], build: ([x]) => logSoftmax(x!) })),
  );
  property(
    'layerNorm',
    'float32',
    wide
      .filter((s) => s[2]! > 3)
      .map((s) => ({
        shapes: [s, [s[2]!], [s[2]!]],
        build: ([x, scale, bias]) => layerNorm(x!, scale!, bias!, 1e-2),
      })),
  );
  property(
    'gather with repeated rows',
    'float64',
    fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }).map((rows) => ({
      shapes: [[5, 3]],
      build: ([x]) => gather(mul(x!, x!), x!.graph.constant(rows, 'int64')),
    })),
  );
  property(
    'crossEntropy with ignored labels',
    'float64',
    fc.array(fc.constantFrom(-100, 0, 1, 2), { minLength: 1, maxLength: 6 }).map((labels) => ({
      shapes: [[labels.length, 3]],
      build: ([x]) => crossEntropy(x!, x!.graph.constant(labels, 'int64')),
    })),
  );
});

describe('gradients', () => {
  it('adds up the paths when a value is used more than once', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [3]);
    const [g] = gradients(reduceSum(add(mul(x, x), mul(x, 3))), [x]);
    const program = await compile({ g: g! });
    const { g: result } = await program.run({ x: { data: Float32Array.of(1, 2, -1), shape: [3] } });
    expect([...result!.data]).toEqual([5, 7, 1]);
  });

  it('computes nothing towards values that are not asked for', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['B', 4]);
    const w = graph.input('w', 'float32', [4, 4]);
    const loss = reduceSum(matmul(x, w));
    const before = graph.nodes.length;
    gradients(loss, [w]);
    const products = graph.nodes.slice(before).filter((n) => n.operator.type === 'FusedMatMul');
    expect(products).toHaveLength(1);
  });

  it('loses no update when many rows share an index', async () => {
    const graph = new Graph();
    const rows = 20_000;
    const table = graph.input('table', 'float32', [100, 16]);
    const index = graph.input('index', 'int64', ['T']);
    const [g] = gradients(reduceSum(gather(table, index)), [table]);
    const program = await compile({ g: g! });
    const { g: result } = await program.run({
      index: { data: BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % 3)), shape: [rows] },
      table: { data: new Float32Array(1600), shape: [100, 16] },
    });
    expect((result!.data as Float32Array).reduce((a, b) => a + b, 0)).toBe(rows * 16);
  });

  it('refuses a loss that is no scalar, a value it does not depend on, a missing rule', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [2]);
    const z = graph.input('z', 'float32', [2]);
    expect(() => gradients(x, [x])).toThrow('must be a scalar');
    expect(() => gradients(reduceSum(x), [z])).toThrow('does not depend on z: float32[2]');
    const operator = {
      type: 'Mystery',
      infer: () => [{ dtype: 'float32' as const, shape: [] }],
      vjp: null,
    };
    const loss = graph.apply(operator, [x]).outputs[0]!;
    expect(() => gradients(loss, [x])).toThrow('Mystery has no gradient');
  });
});
