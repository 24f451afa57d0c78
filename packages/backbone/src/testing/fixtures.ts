/**
 * Replays reference cases (a folder with config.json, model.safetensors, cases.json and
 * cases.safetensors: outputs, gradients and training runs of the original implementations) through
 * the product's own graphs and measures the deviations.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AdamW,
  clipScale,
  compile,
  type Feeds,
  globalNorm,
  type Outputs,
  type TensorData,
} from '@polyprompt/autodiff';
import { readHeader, readTensor, type TensorEntry } from '@polyprompt/safetensors';
import { tokenBatch } from '../graphs/batch.ts';
import { RowPrefixes } from '../graphs/row-prefixes.ts';
import { servingGraph } from '../graphs/serving.ts';
import { GRADIENT, type LossKind, type TuningMethod, trainingGraph } from '../graphs/training.ts';
import { WEIGHT_INPUT, weightFolder } from '../graphs/weights.ts';
import type { CanonicalName } from '../names.ts';
import { type Backbone, openBackbone } from '../open.ts';

/** Worst deviation of one output of one case, as a multiple of its tolerance (1 = just allowed). */
export interface FixtureResult {
  readonly case: string;
  readonly output: string;
  readonly ratio: number;
}

interface ExpectedOutput {
  readonly tensor: string;
  readonly atol: number;
  readonly compare?: string;
}

interface Case {
  readonly name: string;
  readonly kind: 'forward' | 'loss' | 'trajectory' | 'full_gradients' | 'soft_prompt';
  readonly inputs: Record<string, string> & {
    readonly even_steps?: Record<string, string>;
    readonly odd_steps?: Record<string, string>;
  };
  readonly outputs: Record<string, ExpectedOutput>;
  readonly settings?: {
    readonly mask_logits?: boolean;
    readonly steps?: number;
    readonly lr?: number;
    readonly betas?: readonly [number, number];
    readonly eps?: number;
    readonly weight_decay?: number;
    readonly clip_global_norm?: number;
  };
}

type Tensors = (name: string) => TensorData;

/** Replays every case of a folder. @throws when the folder cannot be read or a case is unknown. */
export async function checkFixtures(folder: string): Promise<FixtureResult[]> {
  const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as {
    readonly tensors: string;
    readonly cases: readonly Case[];
  };
  const file = join(folder, cases.tensors);
  const header = readHeader(file);
  const tensors: Tensors = (name) => {
    const entry = header.tensors.get(name);
    if (!entry) throw new Error(`${file} has no tensor ${name}`);
    return {
      data: readTensor(file, entry) as TensorData['data'],
      shape: (entry as TensorEntry).shape,
    };
  };
  const replay = new Replay(openBackbone(folder), tensors);
  const results: FixtureResult[] = [];
  for (const test of cases.cases) {
    const computed = await replay.run(test);
    for (const [output, expected] of Object.entries(test.outputs)) {
      const actual = computed[output];
      if (!actual) throw new Error(`case ${test.name}: output ${output} is unknown`);
      const mask = expected.compare === 'rows with mask 1' ? replay.mask(test) : null;
      const ratio = deviation(actual, tensors(expected.tensor), mask) / expected.atol;
      results.push({ case: test.name, output, ratio });
    }
  }
  return results;
}

class Replay {
  readonly #backbone: Backbone;
  readonly #tensors: Tensors;
  readonly #usePooler: boolean;

  constructor(backbone: Backbone, tensors: Tensors) {
    this.#backbone = backbone;
    this.#tensors = tensors;
    this.#usePooler = backbone.checkpoint.hasPooler;
  }

  /** The attention mask of a case, widened by the prompt's positions for soft prompts. */
  mask(test: Case): TensorData {
    const mask = this.#tensors(test.inputs.attention_mask!);
    if (test.kind !== 'soft_prompt') return mask;
    const [rows, length] = mask.shape as [number, number];
    const prompt = this.#tensors(test.inputs.prompt!).shape[0]!;
    const data = new BigInt64Array(rows * (prompt + length)).fill(1n);
    for (let b = 0; b < rows; b++) {
      const row = (mask.data as BigInt64Array).subarray(b * length, (b + 1) * length);
      data.set(row, b * (prompt + length) + prompt);
    }
    return { data, shape: [rows, prompt + length] };
  }

  async run(test: Case): Promise<Record<string, TensorData>> {
    switch (test.kind) {
      case 'forward':
        return this.#forward(test);
      case 'loss':
        return this.#loss(test);
      case 'trajectory':
        return this.#trajectory(test);
      case 'full_gradients':
        return this.#full(test);
      case 'soft_prompt':
        return this.#soft(test);
      default:
        throw new Error(`case ${test.name} is of the unknown kind ${test.kind satisfies never}`);
    }
  }

  async #forward(test: Case): Promise<Record<string, TensorData>> {
    const { spec, checkpoint } = this.#backbone;
    const prompt = test.inputs.prefix ? this.#prefix(test.inputs.prefix) : null;
    const graph = servingGraph(spec, checkpoint, prompt ? 'prefix' : 'none');
    const outputs: Record<string, Outputs[string]> = { pooled: graph.pooled };
    graph.layers.forEach((layer, i) => {
      outputs[`layer${i}`] = layer;
    });
    outputs.states = graph.states;
    const tokens = this.#tokens(test.inputs, prompt?.length ?? 0);
    const [batch, length] = tokens.input_ids!.shape as [number, number];
    const feeds: Record<string, TensorData> = { ...tokens, ...this.#pool(test.inputs, length) };
    if (prompt) {
      const many = prompt.count > 1;
      const [, ...shape] = prompt.stack.shape;
      const size = shape.reduce((product, dim) => product * dim, 1);
      const rows = Array.from({ length: batch }, (_, b) => {
        const at = many ? b * size : 0;
        return { shape, data: (prompt.stack.data as Float32Array).subarray(at, at + size) };
      });
      Object.assign(feeds, new RowPrefixes(spec).feeds(rows, prompt.length));
    }
    const program = await compile(outputs, {
      externalFolder: weightFolder(this.#backbone.checkpoint),
    });
    const known = Object.fromEntries(
      Object.entries({ ...feeds, use_pooler: this.#poolerSwitch(batch) }).filter(([name]) =>
        program.inputs.has(name),
      ),
    );
    const result = await program.run(known);
    await program.release();
    const states = Array.from({ length: spec.layers + 1 }, (_, i) => result[`layer${i}`]!);
    // The reference's last entry is after the final norm, where there is one.
    states[spec.layers] = result.states!;
    return {
      last_hidden_state: result.states!,
      pooler_output: result.pooled!,
      last_token_state: result.pooled!,
      hidden_states: stack(states),
    };
  }

  async #loss(test: Case): Promise<Record<string, TensorData>> {
    const kind: LossKind = test.inputs.class_labels
      ? 'pooled'
      : test.inputs.tag_labels
        ? 'tokens'
        : 'span';
    const prompt = this.#prefix(test.inputs.prefix!);
    const run = await this.#step('prefix', kind, prompt.length, prompt.count, test.inputs);
    const [batch, length] = this.#tensors(test.inputs.input_ids!).shape as [number, number];
    const parameters = {
      prefix: prompt.stack,
      ...this.#head(test.inputs, prompt.count),
    };
    const target = this.#target(test.inputs, kind, batch, length);
    const maskLogits = test.settings?.mask_logits === true;
    const extra: Record<string, TensorData> =
      kind === 'span'
        ? { span_mask: maskLogits ? this.#floatMask(test.inputs) : ones([batch, length]) }
        : {};
    if (prompt.count > 1) {
      extra.prefix_mask = ones([prompt.count, prompt.length]);
      extra.prompt_index = {
        data: BigInt64Array.from({ length: batch }, (_, b) => BigInt(b)),
        shape: [batch],
      };
    }
    const result = await run({ ...parameters, ...target, ...extra });
    const gradPrefix = result[`${GRADIENT}prefix`]!;
    return {
      loss: weighted(result.row_loss!, target.loss_weight!),
      logits: result.logits!,
      grad_prefix: prompt.count > 1 ? moveRowsIn(gradPrefix) : dropFirst(gradPrefix),
      ...headGradients(result),
    };
  }

  async #trajectory(test: Case): Promise<Record<string, TensorData>> {
    const { steps, lr, betas, eps, weight_decay, clip_global_norm } = test.settings as Required<
      NonNullable<Case['settings']>
    >;
    const prompt = this.#prefix(test.inputs.prefix!);
    const head = this.#head(test.inputs, 1);
    const order = ['prefix', 'head_weight', 'head_bias'] as const;
    const parameters = { prefix: prompt.stack, ...head };
    const arrays = order.map((name) => (parameters[name]!.data as Float32Array).slice());
    const optimizer = new AdamW(arrays, { beta1: betas[0], beta2: betas[1], epsilon: eps });
    const batches = [test.inputs.even_steps!, test.inputs.odd_steps!];
    const runs = [];
    for (const inputs of batches) {
      runs.push(await this.#step('prefix', 'pooled', prompt.length, 1, inputs));
    }
    const losses: number[] = [];
    const norms: number[] = [];
    const rates: number[] = [];
    for (let k = 0; k < steps; k++) {
      const inputs = batches[k % 2]!;
      const [batch, length] = this.#tensors(inputs.input_ids!).shape as [number, number];
      const target = this.#target(inputs, 'pooled', batch, length);
      const current = Object.fromEntries(
        order.map((name, i) => [name, { data: arrays[i]!, shape: parameters[name]!.shape }]),
      );
      const result = await runs[k % 2]!({ ...current, ...target });
      const gradients = order.map((name) => result[GRADIENT + name]!.data as Float32Array);
      const norm = globalNorm(gradients);
      const rate = (lr * (steps - k)) / steps;
      optimizer.step(gradients, rate, weight_decay, clipScale(norm, clip_global_norm));
      losses.push(weighted(result.row_loss!, target.loss_weight!).data[0] as number);
      norms.push(norm);
      rates.push(rate);
    }
    const vector = (data: number[]) => ({ data: Float32Array.from(data), shape: [data.length] });
    const [hidden, classes] = parameters.head_weight.shape.slice(1) as [number, number];
    return {
      losses: vector(losses),
      grad_norms: vector(norms),
      lrs: vector(rates),
      final_prefix: { data: arrays[0]!, shape: parameters.prefix.shape.slice(1) },
      final_w: { data: transposed(arrays[1]!, hidden, classes), shape: [classes, hidden] },
      final_b: { data: arrays[2]!, shape: [classes] },
    };
  }

  async #full(test: Case): Promise<Record<string, TensorData>> {
    const run = await this.#step('full', 'pooled', 0, 1, test.inputs);
    const { checkpoint } = this.#backbone;
    const weights: Record<string, TensorData> = {};
    const originals = new Map<string, CanonicalName>();
    for (const [name, ref] of checkpoint.tensors) {
      weights[WEIGHT_INPUT + name] = {
        data: readTensor(ref.file, ref) as Float32Array,
        shape: ref.shape,
      };
      originals.set(ref.name, name);
    }
    const [batch, length] = this.#tensors(test.inputs.input_ids!).shape as [number, number];
    const target = this.#target(test.inputs, 'pooled', batch, length);
    const result = await run({ ...weights, ...this.#head(test.inputs, 1), ...target });
    const gradients: Record<string, TensorData> = {};
    for (const [original, name] of originals) {
      const gradient = result[GRADIENT + WEIGHT_INPUT + name];
      if (gradient) gradients[`grad.${original}`] = gradient;
    }
    return {
      ...gradients,
      loss: weighted(result.row_loss!, target.loss_weight!),
      logits: result.logits!,
      ...headGradients(result),
    };
  }

  async #soft(test: Case): Promise<Record<string, TensorData>> {
    const prompt = this.#tensors(test.inputs.prompt!);
    const length = prompt.shape[0]!;
    const run = await this.#step('soft', 'pooled', length, 1, test.inputs);
    const [batch, tokens] = this.#tensors(test.inputs.input_ids!).shape as [number, number];
    const target = this.#target(test.inputs, 'pooled', batch, tokens);
    const soft = { data: prompt.data, shape: [1, ...prompt.shape] };
    const result = await run({ soft_prompt: soft, ...this.#head(test.inputs, 1), ...target });
    return {
      last_hidden_state: result.states!,
      head_input: result.pooled!,
      loss: weighted(result.row_loss!, target.loss_weight!),
      logits: result.logits!,
      grad_prompt: dropFirst(result[`${GRADIENT}soft_prompt`]!),
      ...headGradients(result),
    };
  }

  /** A compiled training graph with the tokens of `inputs` already bound. */
  async #step(
    method: TuningMethod,
    loss: LossKind,
    length: number,
    prompts: number,
    inputs: Record<string, string>,
  ): Promise<(feeds: Feeds) => Promise<Record<string, TensorData>>> {
    const { spec, checkpoint } = this.#backbone;
    const classes = this.#tensors(inputs.w ?? 'head_cls.w').shape[0]!;
    const graph = trainingGraph(spec, checkpoint, {
      method,
      loss,
      length,
      classes,
      many: prompts > 1,
      usePooler: this.#usePooler,
    });
    const outputs: Record<string, Outputs[string]> = { ...graph.outputs, states: graph.states };
    if (graph.pooled) outputs.pooled = graph.pooled;
    const program = await compile(outputs, { externalFolder: weightFolder(checkpoint) });
    const soft = method === 'soft' ? length : 0;
    const tokens = this.#tokens(inputs, length, soft);
    const [batch, total] = tokens.attention_mask!.shape as [number, number];
    const fixed = {
      ...tokens,
      head_dropout: ones([batch, spec.hidden]),
      ...(loss === 'pooled' ? this.#pool(inputs, total, soft) : {}),
    };
    return (feeds) => program.run({ ...fixed, ...feeds });
  }

  #tokens(
    inputs: Record<string, string>,
    promptLength: number,
    soft = 0,
  ): Record<string, TensorData> {
    const ids = this.#tensors(inputs.input_ids!);
    const mask = this.#tensors(inputs.attention_mask!).data as BigInt64Array;
    const types = inputs.token_type_ids ? this.#tensors(inputs.token_type_ids) : null;
    const [rows, length] = ids.shape as [number, number];
    const part = (tensor: TensorData, b: number, n: number) =>
      Array.from({ length: n }, (_, i) => Number((tensor.data as BigInt64Array)[b * length + i]));
    const batch = tokenBatch(
      this.#backbone.spec,
      Array.from({ length: rows }, (_, b) => {
        const count = Number(
          mask.subarray(b * length, (b + 1) * length).reduce((x, y) => x + y, 0n),
        );
        return {
          ids: part(ids, b, count),
          ...(types ? { typeIds: part(types, b, count) } : {}),
          promptLength,
          positions: 'shifted' as const,
        };
      }),
      soft,
    );
    return { ...batch };
  }

  /** Row 0 for encoders, the last token with mask 1 for the decoder; behind a soft prompt. */
  #pool(inputs: Record<string, string>, length: number, soft = 0): Record<string, TensorData> {
    const mask = this.#tensors(inputs.attention_mask!);
    const [rows, tokens] = mask.shape as [number, number];
    const data = new Float32Array(rows * length);
    for (let b = 0; b < rows; b++) {
      const row = (mask.data as BigInt64Array).subarray(b * tokens, (b + 1) * tokens);
      const last = Number(row.reduce((x, y) => x + y, 0n)) - 1;
      data[b * length + soft + (this.#backbone.spec.family === 'xglm' ? last : 0)] = 1;
    }
    return { pool_weights: { data, shape: [rows, length] } };
  }

  #poolerSwitch(batch: number): TensorData {
    return { data: new Uint8Array(batch).fill(1), shape: [batch, 1] };
  }

  #floatMask(inputs: Record<string, string>): TensorData {
    const { data, shape } = this.#tensors(inputs.attention_mask!);
    return { data: Float32Array.from(data as BigInt64Array, Number), shape };
  }

  /** `prefix.per_row` [L,2,B,H,P,d] or `prefix.shared` [L,2,H,P,d] as a stack [N,L,2,H,P,d]. */
  #prefix(name: string): { stack: TensorData; count: number; length: number } {
    const { data, shape } = this.#tensors(name);
    const length = shape.at(-2)!;
    if (shape.length === 5) return { stack: { data, shape: [1, ...shape] }, count: 1, length };
    const [layers, two, count, ...rest] = shape as [number, number, number, ...number[]];
    const stack = swapLeading(data as Float32Array, layers * two, count);
    return { stack: { data: stack, shape: [count, layers, two, ...rest] }, count, length };
  }

  /** Heads are stored [C, h]; ours are [N, h, C]. */
  #head(inputs: Record<string, string>, count: number) {
    const w = this.#tensors(inputs.w!);
    const b = this.#tensors(inputs.b!);
    const [classes, hidden] = w.shape as [number, number];
    const weight = transposed(w.data as Float32Array, classes, hidden);
    return {
      head_weight: { data: repeated(weight, count), shape: [count, hidden, classes] },
      head_bias: { data: repeated(b.data as Float32Array, count), shape: [count, classes] },
    };
  }

  #target(inputs: Record<string, string>, kind: LossKind, batch: number, length: number) {
    const classes = this.#tensors(inputs.w ?? 'head_cls.w').shape[0]!;
    if (kind === 'span') {
      const data = new Float32Array(batch * 2 * length);
      for (const [column, name] of ['start_positions', 'end_positions'].entries()) {
        const positions = this.#tensors(inputs[name]!).data as BigInt64Array;
        for (let b = 0; b < batch; b++) data[(b * 2 + column) * length + Number(positions[b])] = 1;
      }
      return {
        target: { data, shape: [batch, 2, length] },
        loss_weight: filled([batch], 1 / batch),
      };
    }
    const labels = this.#tensors(inputs[kind === 'pooled' ? 'class_labels' : 'tag_labels']!);
    const data = new Float32Array(labels.data.length * classes);
    let count = 0;
    (labels.data as BigInt64Array).forEach((label, i) => {
      if (label < 0n) return;
      data[i * classes + Number(label)] = 1;
      count++;
    });
    return {
      target: { data, shape: [...labels.shape, classes] },
      loss_weight: filled([batch], 1 / count),
    };
  }
}

function headGradients(result: Record<string, TensorData>): Record<string, TensorData> {
  const weight = result[`${GRADIENT}head_weight`]!;
  const bias = result[`${GRADIENT}head_bias`]!;
  const [count, hidden, classes] = weight.shape as [number, number, number];
  // One head for all rows: the gradients of the copies add up.
  const w = summed(weight.data as Float32Array, count);
  return {
    grad_w: { data: transposed(w, hidden, classes), shape: [classes, hidden] },
    grad_b: { data: summed(bias.data as Float32Array, count), shape: [classes] },
  };
}

function deviation(actual: TensorData, expected: TensorData, mask: TensorData | null): number {
  if (actual.data.length !== expected.data.length) {
    throw new Error(`shape ${actual.shape} against the reference's ${expected.shape}`);
  }
  // The mask is [B,S]; outputs end in [B,S,width], perhaps behind a layer axis.
  const width = mask ? (expected.shape.at(-1) as number) : 1;
  let worst = 0;
  for (let i = 0; i < expected.data.length; i++) {
    if (mask && mask.data[Math.floor(i / width) % mask.data.length] === 0n) continue;
    const difference = Math.abs(Number(actual.data[i]) - Number(expected.data[i]));
    worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return worst;
}

function weighted(rows: TensorData, weights: TensorData): TensorData {
  let sum = 0;
  for (let i = 0; i < rows.data.length; i++) sum += Number(rows.data[i]) * Number(weights.data[i]);
  return { data: Float32Array.of(sum), shape: [] };
}

function stack(parts: readonly TensorData[]): TensorData {
  const size = parts[0]!.data.length;
  const data = new Float32Array(parts.length * size);
  parts.forEach((part, i) => {
    data.set(part.data as Float32Array, i * size);
  });
  return { data, shape: [parts.length, ...parts[0]!.shape] };
}

function filled(shape: number[], value: number): TensorData {
  return { data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value), shape };
}

function ones(shape: number[]): TensorData {
  return filled(shape, 1);
}

function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c]!;
  }
  return result;
}

function repeated(data: Float32Array, count: number): Float32Array {
  const result = new Float32Array(data.length * count);
  for (let i = 0; i < count; i++) result.set(data, i * data.length);
  return result;
}

function summed(data: Float32Array, count: number): Float32Array {
  const size = data.length / count;
  const result = new Float32Array(size);
  for (let i = 0; i < data.length; i++) result[i % size] = result[i % size]! + data[i]!;
  return result;
}

/** [a, b, rest] to [b, a, rest]. */
function swapLeading(data: Float32Array, a: number, b: number): Float32Array {
  const size = data.length / (a * b);
  const result = new Float32Array(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      result.set(data.subarray((i * b + j) * size, (i * b + j + 1) * size), (j * a + i) * size);
    }
  }
  return result;
}

function moveRowsIn({ data, shape }: TensorData): TensorData {
  const [count, layers, two, ...rest] = shape as [number, number, number, ...number[]];
  return {
    data: swapLeading(data as Float32Array, count, layers * two),
    shape: [layers, two, count, ...rest],
  };
}

function dropFirst({ data, shape }: TensorData): TensorData {
  return { data, shape: shape.slice(1) };
}
