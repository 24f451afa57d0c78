/**
 * Dimensions known when a graph is built: a number, or a polynomial over symbols such as `B`,
 * `P+S`, `2*B*S`, kept as a canonical string so that equal dimensions are equal values.
 */
import { GraphError } from './errors.ts';

export type Dim = number | string;
export type Shape = readonly Dim[];

type Polynomial = Map<string, number>;

function parse(dim: Dim): Polynomial {
  if (typeof dim === 'number') return new Map(dim === 0 ? [] : [['', dim]]);
  const sum: Polynomial = new Map();
  for (const term of dim.split('+')) {
    let coefficient = 1;
    const symbols: string[] = [];
    for (const factor of term.split('*')) {
      if (/^\d+$/.test(factor)) coefficient *= Number(factor);
      else if (/^[A-Za-z_]\w*$/.test(factor)) symbols.push(factor);
      else
        throw new GraphError('bad_argument', `"${dim}" is no dimension: use a number or a symbol`);
    }
    const key = symbols.sort().join('*');
    sum.set(key, (sum.get(key) ?? 0) + coefficient);
  }
  return sum;
}

function format(sum: Polynomial): Dim {
  const constant = sum.get('') ?? 0;
  const terms = [...sum]
    .filter(([symbols, n]) => symbols !== '' && n !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([symbols, n]) => (n === 1 ? symbols : `${n}*${symbols}`));
  if (terms.length === 0) return constant;
  if (constant !== 0) terms.push(String(constant));
  return terms.join('+');
}

/** The canonical form of a dimension; throws GraphError for text that is none. */
export function canonical(dim: Dim): Dim {
  if (typeof dim === 'number') {
    if (!Number.isInteger(dim) || dim < 0) {
      throw new GraphError('bad_argument', `${dim} is no dimension: use a whole number >= 0`);
    }
    return dim;
  }
  return format(parse(dim));
}

export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const sum = parse(a);
  for (const [key, n] of parse(b)) sum.set(key, (sum.get(key) ?? 0) + n);
  return format(sum);
}

export function multiplyDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  const product: Polynomial = new Map();
  for (const [x, n] of parse(a)) {
    for (const [y, m] of parse(b)) {
      const key = [...x.split('*'), ...y.split('*')].filter(Boolean).sort().join('*');
      product.set(key, (product.get(key) ?? 0) + n * m);
    }
  }
  return format(product);
}

export function elementCount(shape: Shape): Dim {
  return shape.reduce(multiplyDims, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/**
 * NumPy broadcasting. A symbol equals itself only: two different symbols are refused even if
 * they might agree at run time, because the gradient's reductions are decided here.
 */
export function broadcast(a: Shape, b: Shape, operator: string): Shape {
  const rank = Math.max(a.length, b.length);
  const result: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new GraphError(
        'shape_mismatch',
        `${operator}: cannot broadcast ${showShape(a)} with ${showShape(b)}: ` +
          `dimensions ${x} and ${y} differ and neither is 1`,
      );
    }
    result.push(x === 1 ? y : x);
  }
  return result;
}

/** Axis in 0..rank-1 from a possibly negative one. */
export function normalizeAxis(axis: number, rank: number, operator: string): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normalized < 0 || normalized >= rank) {
    throw new GraphError(
      'bad_argument',
      `${operator}: axis ${axis} is outside of rank ${rank}: use ${-rank}..${rank - 1}`,
    );
  }
  return normalized;
}
