/** The trained parameters and the compiled graphs around the frozen backbone. */
import { compile, type Program, type TensorData } from '@polyprompt/autodiff';
import {
  type Backbone,
  type Device,
  GRADIENT,
  type LossKind,
  poolWeights,
  providersOf,
  type TokenRow,
  tokenBatch,
  trainingGraph,
  WEIGHT_INPUT,
  weightFolder,
} from '@polyprompt/backbone';
import { readFloat32 } from '@polyprompt/safetensors';
import { dropoutMask, gaussian, type Random, randomStream } from './random.ts';
import type { TuningSettings } from './settings.ts';

export interface Parameter {
  /** Input name in the graph: `prefix`, `soft_prompt`, `head_weight`, `head_bias`, `weight:...`. */
  readonly name: string;
  /** With a leading axis of 1 for prompt and head: the number of prompts trained side by side. */
  readonly shape: readonly number[];
  /** Changed in place by the optimizer. */
  readonly data: Float32Array;
}

export interface TrainRow {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** Wanted distribution: [C] for pooled losses, [tokens, C] for token losses. */
  readonly target: Float32Array;
}

export interface Gradients {
  /** Sum of the rows' losses times `weight`. */
  readonly loss: number;
  /** In the order of the parameters. */
  readonly gradients: readonly Float32Array[];
}

export interface ModelOptions {
  readonly backbone: Backbone;
  readonly settings: TuningSettings;
  readonly classes: number;
  readonly loss: LossKind;
  readonly device: Device;
  readonly threads?: number;
}

export class TrainableModel {
  readonly parameters: readonly Parameter[];
  readonly #options: ModelOptions;
  readonly #step: Program;
  readonly #forward: Program;

  private constructor(
    options: ModelOptions,
    parameters: readonly Parameter[],
    step: Program,
    forward: Program,
  ) {
    this.#options = options;
    this.parameters = parameters;
    this.#step = step;
    this.#forward = forward;
  }

  /** Compiles the graphs and initialises the parameters from the seed. */
  static async create(options: ModelOptions): Promise<TrainableModel> {
    const { backbone, settings, classes, loss, device, threads } = options;
    const { spec, checkpoint } = backbone;
    const { method, length } = settings;
    const usePooler = settings.pooling === 'pooler' && checkpoint.hasPooler;
    const graph = trainingGraph(spec, checkpoint, { method, length, classes, loss, usePooler });
    const compiling = {
      externalFolder: weightFolder(checkpoint),
      providers: providersOf(device),
      ...(threads ? { threads } : {}),
    };
    const { logits, row_loss } = graph.outputs;
    const step = await compile(graph.outputs, compiling);
    const forward = await compile({ logits: logits!, row_loss: row_loss! }, compiling);
    const parameters = graph.parameters.map((parameter) => ({
      ...parameter,
      data: initial(options, parameter.name, parameter.shape),
    }));
    return new TrainableModel(options, parameters, step, forward);
  }

  /**
   * Loss and gradients of one micro-batch.
   * @param weight of each row's loss in the sum (1 / number of labelled items of the whole batch)
   * @param random draws the dropout masks
   */
  async gradients(rows: readonly TrainRow[], weight: number, random: Random): Promise<Gradients> {
    const { settings, backbone } = this.#options;
    const prompt = this.parameters.find(({ name }) => name === 'prefix');
    const mask =
      prompt && settings.dropout > 0
        ? dropoutMask(prompt.data.length, settings.dropout, random)
        : null;
    const hidden = backbone.spec.hidden;
    const dropout = dropoutMask(rows.length * hidden, settings.headDropout, random);
    const feeds = this.#feeds(rows, weight, { data: dropout, shape: [rows.length, hidden] });
    if (prompt && mask) feeds.prefix = { data: product(prompt.data, mask), shape: prompt.shape };
    const result = await this.#step.run(feeds);
    const gradients = this.parameters.map(
      ({ name }) => result[GRADIENT + name]!.data as Float32Array,
    );
    // d loss / d prefix = mask * d loss / d (mask * prefix)
    if (prompt && mask) multiplyInto(gradients[this.parameters.indexOf(prompt)]!, mask);
    return { loss: weight * sum(result.row_loss!.data as Float32Array), gradients };
  }

  /** Each row's loss and logits ([C] or [tokens, C], padding removed), without dropout. */
  async evaluate(
    rows: readonly TrainRow[],
  ): Promise<{ readonly loss: number; readonly logits: Float32Array }[]> {
    const hidden = this.#options.backbone.spec.hidden;
    const ones = new Float32Array(rows.length * hidden).fill(1);
    const feeds = this.#feeds(rows, 1, { data: ones, shape: [rows.length, hidden] });
    delete feeds.loss_weight;
    const { logits, row_loss } = await this.#forward.run(feeds);
    const all = logits!.data as Float32Array;
    const stride = all.length / rows.length;
    return rows.map(({ target }, b) => ({
      loss: (row_loss!.data as Float32Array)[b]!,
      logits: this.#rowLogits(all.subarray(b * stride, (b + 1) * stride), target.length),
    }));
  }

  async release(): Promise<void> {
    await this.#step.release();
    await this.#forward.release();
  }

  #rowLogits(row: Float32Array, size: number): Float32Array {
    if (this.#options.loss === 'pooled') return row.slice();
    const skip = this.#softLength() * this.#options.classes;
    return row.slice(skip, skip + size);
  }

  #softLength(): number {
    const { method, length } = this.#options.settings;
    return method === 'soft' ? length : 0;
  }

  #feeds(
    rows: readonly TrainRow[],
    weight: number,
    headDropout: TensorData,
  ): Record<string, TensorData> {
    const { backbone, settings, loss } = this.#options;
    const soft = this.#softLength();
    const promptLength = settings.method === 'prefix' ? settings.length : soft;
    const { positions, pooling } = settings;
    const tokens = tokenBatch(
      backbone.spec,
      rows.map(({ ids, typeIds }): TokenRow => ({ ids, typeIds, promptLength, positions })),
      soft,
    );
    const total = tokens.attention_mask.shape[1]!;
    const feeds: Record<string, TensorData> = {
      ...tokens,
      head_dropout: headDropout,
      target: this.#target(rows, total, soft),
      loss_weight: { data: new Float32Array(rows.length).fill(weight), shape: [rows.length] },
    };
    if (loss === 'pooled') {
      feeds.pool_weights = poolWeights(
        rows.map(({ ids }) => ({ ids, pooling })),
        total,
        soft,
      );
    }
    for (const { name, shape, data } of this.parameters) feeds[name] = { data, shape };
    return feeds;
  }

  #target(rows: readonly TrainRow[], total: number, soft: number): TensorData {
    const { classes, loss } = this.#options;
    const perRow = loss === 'pooled' ? classes : total * classes;
    const data = new Float32Array(rows.length * perRow);
    rows.forEach(({ target }, b) => {
      data.set(target, b * perRow + soft * (loss === 'pooled' ? 0 : classes));
    });
    const shape = loss === 'pooled' ? [rows.length, classes] : [rows.length, total, classes];
    return { data, shape };
  }
}

/** Prompts and heads start from small random numbers, biases from 0, tuned weights as they are. */
function initial(options: ModelOptions, name: string, shape: readonly number[]): Float32Array {
  const { settings, backbone } = options;
  const count = shape.reduce((product, size) => product * size, 1);
  if (name.startsWith(WEIGHT_INPUT)) {
    const ref = [...backbone.checkpoint.tensors].find(([key]) => WEIGHT_INPUT + key === name)![1];
    return readFloat32(ref.file, ref);
  }
  if (name === 'head_bias') return new Float32Array(count);
  const deviation = name === 'head_weight' ? backbone.spec.initializerRange : settings.initStd;
  return gaussian(count, deviation, randomStream(settings.seed, name));
}

function product(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value * b[i]!);
}

function multiplyInto(a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! * b[i]!;
}

function sum(values: Float32Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
