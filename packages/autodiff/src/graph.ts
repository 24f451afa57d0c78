/**
 * The graph: values with dtype and symbolic shape, and the operator applications that make them.
 * Nothing is computed here; `compile` (program.ts) hands the graph to ONNX Runtime.
 */
import { canonical, type Dim, type Shape, showShape } from './dim.ts';
import { type DType, pack, type TypedArray } from './dtype.ts';
import { GraphError } from './errors.ts';

export type Attribute = number | string | readonly number[] | { readonly float: number };
export type Attributes = Readonly<Record<string, Attribute>>;

export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Raw bytes of a tensor inside a file, as an ONNX external-data entry points at it. */
export interface ExternalData {
  /** Path relative to the folder that is given at compile time. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

export type Source =
  | { readonly kind: 'input' }
  | { readonly kind: 'constant'; readonly data: TypedArray }
  | { readonly kind: 'external'; readonly data: ExternalData }
  | { readonly kind: 'node'; readonly node: Node };

export class Value implements ValueType {
  readonly graph: Graph;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly source: Source;

  constructor(graph: Graph, name: string, type: ValueType, source: Source) {
    this.graph = graph;
    this.name = name;
    this.dtype = type.dtype;
    this.shape = type.shape;
    this.source = source;
  }

  get rank(): number {
    return this.shape.length;
  }

  toString(): string {
    return `${this.name}: ${this.dtype}${showShape(this.shape)}`;
  }
}

/** Given the adjoints of a node's outputs, the adjoints of its inputs; null where not needed. */
export type Vjp = (
  node: Node,
  grads: readonly (Value | null)[],
  needs: (input: number) => boolean,
) => readonly (Value | null)[];

export interface Operator {
  readonly type: string;
  readonly domain?: 'com.microsoft';
  /** Attributes that ONNX wants as int64 inputs, in their order after the ordinary inputs. */
  readonly attributeInputs?: readonly string[];
  /** Output types; throws GraphError naming the operator and the shapes. */
  infer(inputs: readonly Value[], attributes: Attributes): readonly ValueType[];
  /** null: the operator has no derivative (its result is an index, a shape, a comparison). */
  readonly vjp: Vjp | null;
}

export interface Node {
  readonly operator: Operator;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

export class Graph {
  readonly nodes: Node[] = [];
  readonly #names = new Map<string, Value>();
  #counter = 0;

  /** All values, in the order of their making. */
  get values(): readonly Value[] {
    return [...this.#names.values()];
  }

  /** A value fed at run time. Dimensions are numbers or symbols such as 'B' or 'P+S'. */
  input(name: string, dtype: DType, shape: readonly Dim[]): Value {
    return this.#named(name, { dtype, shape: shape.map(canonical) }, { kind: 'input' });
  }

  /** A value stored in the graph itself; `data` in row-major order. */
  constant(data: number | readonly number[] | TypedArray, dtype: DType, shape?: Shape): Value {
    const numbers = typeof data === 'number' ? [data] : data;
    const array = Array.isArray(numbers) ? pack(dtype, numbers) : (numbers as TypedArray);
    const dims = shape ?? (typeof data === 'number' ? [] : [array.length]);
    const count = dims.reduce<number>((n, dim) => n * Number(dim), 1);
    if (count !== array.length) {
      throw new GraphError(
        'shape_mismatch',
        `constant of shape ${showShape(dims)} needs ${count} elements, got ${array.length}`,
      );
    }
    const name = `const_${this.#counter++}`;
    return this.#named(name, { dtype, shape: dims }, { kind: 'constant', data: array });
  }

  /** A value whose bytes stay in a file (weights): referenced, never copied. */
  external(name: string, dtype: DType, shape: readonly number[], data: ExternalData): Value {
    return this.#named(name, { dtype, shape }, { kind: 'external', data });
  }

  /** Applies an operator; its shape rule runs now, so mistakes surface where they are made. */
  apply(operator: Operator, inputs: readonly Value[], attributes: Attributes = {}): Node {
    for (const value of inputs) {
      if (value.graph !== this) {
        throw new GraphError('bad_argument', `${operator.type}: ${value} is from another graph`);
      }
    }
    const types = operator.infer(inputs, attributes);
    const outputs: Value[] = [];
    const node: Node = { operator, inputs, outputs, attributes };
    for (const type of types) {
      const name = `${operator.type}_${this.#counter++}`;
      outputs.push(this.#named(name, type, { kind: 'node', node }));
    }
    this.nodes.push(node);
    return node;
  }

  #named(name: string, type: ValueType, source: Source): Value {
    if (this.#names.has(name)) {
      throw new GraphError('bad_argument', `the graph already has a value named "${name}"`);
    }
    const value = new Value(this, name, type, source);
    this.#names.set(name, value);
    return value;
  }
}

/** The single output of an operator application. */
export function apply(
  operator: Operator,
  inputs: readonly Value[],
  attributes: Attributes = {},
): Value {
  const first = inputs[0];
  if (!first) throw new GraphError('bad_argument', `${operator.type} needs an input`);
  return first.graph.apply(operator, inputs, attributes).outputs[0]!;
}

/** A number becomes a constant of the other operand's dtype. */
export function lift(value: Value | number, like: Value): Value {
  return typeof value === 'number' ? like.graph.constant(value, like.dtype) : value;
}

export function requireSameDtype(operator: string, values: readonly Value[]): DType {
  const dtype = values[0]!.dtype;
  for (const value of values) {
    if (value.dtype !== dtype) {
      throw new GraphError(
        'dtype_mismatch',
        `${operator}: inputs differ in type: ${values.join(', ')}`,
      );
    }
  }
  return dtype;
}
