/** A graph and its chosen outputs as the bytes of an ONNX model. */
import type { Dim } from '../dim.ts';
import { ONNX_DTYPE } from '../dtype.ts';
import { GraphError } from '../errors.ts';
import type { Attribute, Graph, Node, Value, ValueType } from '../graph.ts';
import { ATTRIBUTE, ModelProto } from './schema.ts';

/** ONNX operator set: LayerNormalization (17), ReduceMean axes as input (18), Gelu (20). */
const OPSET = 20;
const IR_VERSION = 9;

export type Outputs = Readonly<Record<string, Value>>;

export interface Serialized {
  readonly model: Uint8Array;
  /** The graph inputs that the outputs depend on, in the order of their declaration. */
  readonly inputs: readonly Value[];
}

/**
 * Writes the part of the graph that `outputs` depend on. External data is written as references;
 * the reader resolves their locations against the folder of the model.
 */
export function serialize(graph: Graph, outputs: Outputs): Serialized {
  const reachable = reach(Object.values(outputs));
  const nodes = graph.nodes.filter((node) => node.outputs.some((value) => reachable.has(value)));
  const sources = graph.values.filter((value) => reachable.has(value));
  const inputs = sources.filter((value) => value.source.kind === 'input');
  const extra: object[] = [];

  const names = new Map<Value, string>();
  const renames: object[] = [];
  for (const [name, value] of Object.entries(outputs)) {
    if (value.graph !== graph) {
      throw new GraphError('bad_argument', `output "${name}" is from another graph`);
    }
    if (value.source.kind === 'node' && !names.has(value)) names.set(value, name);
    else renames.push({ op_type: 'Identity', input: [nameOf(value)], output: [name], name });
  }
  function nameOf(value: Value): string {
    return names.get(value) ?? value.name;
  }

  const message = {
    ir_version: IR_VERSION,
    producer_name: 'polyprompt',
    opset_import: [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'graph',
      node: [...nodes.map((node) => nodeProto(node, nameOf, reachable, extra)), ...renames],
      initializer: [...sources.flatMap(initializer), ...extra],
      input: inputs.map((value) => valueInfo(value.name, value)),
      output: Object.entries(outputs).map(([name, value]) => valueInfo(name, value)),
    },
  };
  return { model: ModelProto.encode(ModelProto.fromObject(message)).finish(), inputs };
}

function reach(from: readonly Value[]): Set<Value> {
  const seen = new Set<Value>();
  const stack = [...from];
  for (let value = stack.pop(); value; value = stack.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (value.source.kind === 'node') stack.push(...value.source.node.inputs);
  }
  return seen;
}

function nodeProto(
  node: Node,
  nameOf: (value: Value) => string,
  reachable: ReadonlySet<Value>,
  initializers: object[],
): object {
  const { operator } = node;
  const moved = operator.attributeInputs ?? [];
  const first = node.outputs[0]!.name;
  const input = node.inputs.map(nameOf);
  for (const attribute of moved) {
    const data = node.attributes[attribute] as readonly number[];
    const name = `${first}.${attribute}`;
    initializers.push({
      name,
      dims: [data.length],
      data_type: ONNX_DTYPE.int64,
      raw_data: bytesOf(BigInt64Array.from(data, BigInt)),
    });
    input.push(name);
  }
  // Only the outputs of multi-result operators beyond the first are optional.
  const output = node.outputs.map((value, i) =>
    i > 0 && operator.type === 'LayerNormalization' && !reachable.has(value) ? '' : nameOf(value),
  );
  return {
    op_type: operator.type,
    domain: operator.domain ?? '',
    name: first,
    input,
    output,
    attribute: Object.entries(node.attributes)
      .filter(([name]) => !moved.includes(name))
      .map(([name, value]) => attributeProto(name, value)),
  };
}

function attributeProto(name: string, value: Attribute): object {
  if (typeof value === 'number') return { name, i: value, type: ATTRIBUTE.int };
  if (typeof value === 'string') return { name, s: Buffer.from(value), type: ATTRIBUTE.string };
  if ('float' in value) return { name, f: value.float, type: ATTRIBUTE.float };
  return { name, ints: [...value], type: ATTRIBUTE.ints };
}

function initializer(value: Value): object[] {
  const { source } = value;
  const tensor = { name: value.name, dims: value.shape, data_type: ONNX_DTYPE[value.dtype] };
  if (source.kind === 'constant') return [{ ...tensor, raw_data: bytesOf(source.data) }];
  if (source.kind === 'external') {
    const { location, offset, length } = source.data;
    const entries = { location, offset: String(offset), length: String(length) };
    return [
      {
        ...tensor,
        data_location: 1,
        external_data: Object.entries(entries).map(([key, entry]) => ({ key, value: entry })),
      },
    ];
  }
  return [];
}

function valueInfo(name: string, type: ValueType): object {
  const dim = type.shape.map((d: Dim) =>
    typeof d === 'number' ? { dim_value: d } : { dim_param: d },
  );
  return { name, type: { tensor_type: { elem_type: ONNX_DTYPE[type.dtype], shape: { dim } } } };
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
