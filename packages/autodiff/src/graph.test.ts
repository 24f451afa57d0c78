/** Shape and dtype rules: right results, and errors at build time that name operator and shapes. */
import { describe, expect, it } from 'vitest';
import { addDims, broadcast, canonical, multiplyDims } from './dim.ts';
import {
  add,
  compile,
  concat,
  type Dim,
  Graph,
  GraphError,
  gather,
  layerNorm,
  matmul,
  reshape,
  slice,
  split,
  transpose,
} from './index.ts';

const graph = () => new Graph();
const input = (g: Graph, name: string, shape: Dim[]) => g.input(name, 'float32', shape);

describe('dimensions', () => {
  it('keeps one spelling for equal polynomials', () => {
    expect(addDims('S', 'P')).toBe('P+S');
    expect(addDims('P+S', 3)).toBe(addDims(3, 'S+P'));
    expect(multiplyDims('S', multiplyDims(2, 'B'))).toBe('2*B*S');
    expect(multiplyDims('P+S', 'B')).toBe('B*P+B*S');
    expect(canonical('B*2*A')).toBe('2*A*B');
    expect(addDims('B', 'B')).toBe('2*B');
    expect(multiplyDims(0, 'B')).toBe(0);
  });

  it('refuses text and numbers that are no dimension', () => {
    expect(() => canonical('B/2')).toThrow('"B/2" is no dimension');
    expect(() => canonical(-1)).toThrow('-1 is no dimension');
    expect(() => canonical(1.5)).toThrow(GraphError);
  });

  it('broadcasts equal dimensions and ones only', () => {
    expect(broadcast(['B', 1, 4], ['S', 1], 'Add')).toEqual(['B', 'S', 4]);
    expect(() => broadcast(['B'], ['S'], 'Add')).toThrow(
      'Add: cannot broadcast [B] with [S]: dimensions B and S differ and neither is 1',
    );
  });
});

describe('shape rules', () => {
  it('carries symbols through products, concatenation and reshapes', () => {
    const g = graph();
    const q = input(g, 'q', ['B', 'H', 'S', 8]);
    const k = concat([input(g, 'p', ['B', 'H', 'P', 8]), input(g, 'k', ['B', 'H', 'S', 8])], 2);
    expect(k.shape).toEqual(['B', 'H', 'P+S', 8]);
    expect(matmul(q, k, { transB: true }).shape).toEqual(['B', 'H', 'S', 'P+S']);
    expect(reshape(transpose(q, [0, 2, 1, 3]), ['B', 'S', '8*H']).shape).toEqual(['B', 'S', '8*H']);
  });

  const cases: [string, (g: Graph) => unknown, string][] = [
    [
      'matmul',
      (g) => matmul(input(g, 'a', ['B', 4]), input(g, 'b', [5, 3])),
      'MatMul: [B, 4] x [5, 3]: inner dimensions 4 and 5 differ',
    ],
    [
      'add',
      (g) => add(input(g, 'a', [2]), g.input('b', 'int64', [2])),
      'Add: inputs differ in type: a: float32[2], b: int64[2]',
    ],
    [
      'concat',
      (g) => concat([input(g, 'a', [2, 3]), input(g, 'b', [3, 3])], 1),
      'Concat: [2, 3] and [3, 3] differ outside of axis 1',
    ],
    [
      'reshape',
      (g) => reshape(input(g, 'a', ['B', 6]), ['B', 5]),
      'Reshape: [B, 6] has 6*B elements, [B, 5] has 5*B',
    ],
    [
      'split',
      (g) => split(input(g, 'a', [5]), 0, [2, 2]),
      'Split: sizes 2 + 2 = 4, but axis 0 of [5] is 5',
    ],
    ['slice', (g) => slice(input(g, 'a', [5]), 0, 2, 9), 'Slice: 2..9 is outside of axis 0 of [5]'],
    [
      'transpose',
      (g) => transpose(input(g, 'a', [5, 2]), [0, 0]),
      'Transpose: [0, 0] is no permutation of the axes of [5, 2]',
    ],
    [
      'gather',
      (g) => gather(input(g, 'a', [5, 2]), input(g, 'i', [3])),
      'Gather: indices must be integers: i: float32[3]',
    ],
    [
      'layerNorm',
      (g) => layerNorm(input(g, 'a', [5, 2]), input(g, 's', [3]), input(g, 'b', [2]), 1e-5),
      'LayerNormalization: scale [3] and bias [2] must have the shape [2]',
    ],
    ['a name used twice', (g) => [input(g, 'a', [1]), input(g, 'a', [1])], 'named "a"'],
    [
      'values of two graphs',
      (g) => add(input(g, 'a', [1]), input(graph(), 'b', [1])),
      'is from another graph',
    ],
  ];
  for (const [name, build, message] of cases) {
    it(`refuses ${name} with the operator and the shapes`, () => {
      expect(() => build(graph())).toThrow(message);
    });
  }
});

describe('programs', () => {
  it('names what is wrong with a feed', async () => {
    const g = graph();
    const sum = add(input(g, 'a', ['B', 2]), input(g, 'b', ['B', 2]));
    const program = await compile({ sum });
    const two = { data: new Float32Array(4), shape: [2, 2] };
    await expect(program.run({ a: two })).rejects.toThrow('input b: float32[B, 2] was not fed');
    await expect(program.run({ a: two, c: two })).rejects.toThrow('has no input "c"; it has');
    await expect(
      program.run({ a: two, b: { data: new Float32Array(6), shape: [3, 2] } }),
    ).rejects.toThrow('axis 0 is B, which is 2 in another input');
    await expect(
      program.run({ a: two, b: { data: new Float32Array(6), shape: [2, 3] } }),
    ).rejects.toThrow('axis 1 must be 2');
    await expect(
      program.run({ a: two, b: { data: new Int32Array(4), shape: [2, 2] } }),
    ).rejects.toThrow('was fed a Int32Array');
    await program.release();
  });
});
