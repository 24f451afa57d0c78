/**
 * The compiled training graph around the frozen backbone. It holds no parameters: every call brings
 * those of the prompts that it computes for, one or, in a graph for many, any number of them.
 */
import { compile, type Program, type TensorData } from '@polyprompt/autodiff';
import {
  type Backbone,
  type Device,
  GRADIENT,
  type LossKind,
  type PoolingRule,
  type PositionRule,
  poolWeights,
  providersOf,
  type TokenRow,
  type TuningMethod,
  tokenBatch,
  trainingGraph,
  weightFolder,
} from '@polyprompt/backbone';
import type { Parameter } from './parameter.ts';
import { stack, unstack } from './stack.ts';

export interface TrainRow {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /**
   * Wanted distribution: [C] for pooled losses, [tokens, C] for token and span losses; of a span,
   * each class is a distribution over the tokens.
   */
  readonly target: Float32Array;
  /** Of a span: 1 for every token where it may start or end, 0 elsewhere; all of them without it. */
  readonly spanMask?: ArrayLike<number>;
}

/** A prompt as the graph is fed with it. */
export interface FedPrompt {
  /** In virtual tokens; 0 for a head alone. */
  readonly length: number;
  readonly classes: number;
  readonly positions: PositionRule;
  readonly pooling: PoolingRule;
  /** In the order of `TrainingModel.inputs`. */
  readonly values: readonly Parameter[];
}

/** One prompt's part of a batch. */
export interface Share {
  readonly prompt: FedPrompt;
  readonly rows: readonly TrainRow[];
  /** Of each row's loss in the sum (1 / number of labelled items of the prompt's whole batch). */
  readonly weight: number;
  /** Factors on what the head reads, [rows, hidden]. */
  readonly headDropout: Float32Array;
}

export interface Gradients {
  /** Sum of the rows' losses times `weight`. */
  readonly loss: number;
  /** In the order of the prompt's values. */
  readonly gradients: readonly Float32Array[];
}

export interface ModelOptions {
  readonly backbone: Backbone;
  readonly method: TuningMethod;
  readonly loss: LossKind;
  /** Longest prompt and largest number of classes that it is to take. */
  readonly length: number;
  readonly classes: number;
  readonly usePooler: boolean;
  /** Whether every prompt's head reads one state of a text, not their mean: it saves the others. */
  readonly oneState: boolean;
  /** For prompts side by side; one alone is faster without it. */
  readonly many: boolean;
  readonly device: Device;
  readonly threads?: number;
}

export class TrainingModel {
  /** Names and (largest) shapes of the parameters that a prompt brings, in order. */
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly hidden: number;
  readonly loss: LossKind;
  readonly #options: ModelOptions;
  readonly #step: Program;
  readonly #forward: Program;

  private constructor(
    options: ModelOptions,
    inputs: TrainingModel['inputs'],
    step: Program,
    forward: Program,
  ) {
    this.#options = options;
    this.inputs = inputs;
    this.hidden = options.backbone.spec.hidden;
    this.loss = options.loss;
    this.#step = step;
    this.#forward = forward;
  }

  static async create(options: ModelOptions): Promise<TrainingModel> {
    const { backbone, device, threads } = options;
    const { spec, checkpoint } = backbone;
    const graph = trainingGraph(spec, checkpoint, options);
    const compiling = {
      externalFolder: weightFolder(checkpoint),
      providers: providersOf(device),
      ...(threads ? { threads } : {}),
    };
    const { logits, row_loss } = graph.outputs;
    const step = await compile(graph.outputs, compiling);
    const forward = await compile({ logits: logits!, row_loss: row_loss! }, compiling);
    return new TrainingModel(options, graph.parameters, step, forward);
  }

  /** Loss and gradients of one micro-batch, for each share in turn. */
  async gradients(shares: readonly Share[]): Promise<Gradients[]> {
    const result = await this.#step.run({
      ...this.#feeds(shares),
      loss_weight: vector(shares.flatMap(({ rows, weight }) => rows.map(() => weight))),
    });
    const losses = result.row_loss!.data as Float32Array;
    let at = 0;
    return shares.map(({ prompt, rows, weight }, n) => {
      const own = losses.subarray(at, at + rows.length);
      at += rows.length;
      return {
        loss: weight * own.reduce((sum, value) => sum + value, 0),
        gradients: prompt.values.map((part, i) => {
          const gradient = result[GRADIENT + part.name]!.data as Float32Array;
          return unstack(gradient, this.inputs[i]!.shape, n, part);
        }),
      };
    });
  }

  /** Each row's loss and logits ([C] or [tokens, C], padding removed), without dropout. */
  async evaluate(
    prompt: FedPrompt,
    rows: readonly TrainRow[],
  ): Promise<{ readonly loss: number; readonly logits: Float32Array }[]> {
    const headDropout = new Float32Array(rows.length * this.hidden).fill(1);
    const feeds = this.#feeds([{ prompt, rows, weight: 1, headDropout }]);
    const { logits, row_loss } = await this.#forward.run(feeds);
    const all = logits!.data as Float32Array;
    const stride = all.length / rows.length;
    return rows.map(({ ids }, b) => ({
      loss: (row_loss!.data as Float32Array)[b]!,
      logits: this.#rowLogits(all.subarray(b * stride, (b + 1) * stride), ids.length, prompt),
    }));
  }

  async release(): Promise<void> {
    await this.#step.release();
    await this.#forward.release();
  }

  #rowLogits(row: Float32Array, tokens: number, { classes }: FedPrompt): Float32Array {
    if (this.loss === 'pooled') return row.slice(0, classes);
    const padded = this.#options.classes;
    const all = row.subarray(this.#softLength() * padded);
    const logits = new Float32Array(tokens * classes);
    for (let t = 0; t < tokens; t++) {
      logits.set(all.subarray(t * padded, t * padded + classes), t * classes);
    }
    return logits;
  }

  /** How many positions in front of the tokens are a prompt's. */
  #softLength(): number {
    const { method, length } = this.#options;
    return method === 'soft' ? length : 0;
  }

  #feeds(shares: readonly Share[]): Record<string, TensorData> {
    const { backbone, loss, many, method, length } = this.#options;
    const soft = this.#softLength();
    const rows = shares.flatMap(({ prompt, rows }) => rows.map((row) => ({ ...row, prompt })));
    const tokens = tokenBatch(
      backbone.spec,
      rows.map(({ ids, typeIds, prompt }): TokenRow => {
        return { ids, typeIds, promptLength: prompt.length, positions: prompt.positions };
      }),
      soft,
    );
    const total = tokens.attention_mask.shape[1]!;
    const pooled = rows.map(({ ids, prompt }) => ({ ids, pooling: prompt.pooling }));
    const feeds: Record<string, TensorData> = {
      ...tokens,
      head_dropout: {
        data: joined(shares.map(({ headDropout }) => headDropout)),
        shape: [rows.length, this.hidden],
      },
      target: this.#target(rows, total),
      ...(loss === 'pooled' ? { pool_weights: poolWeights(pooled, total, soft) } : {}),
      ...(loss === 'span' ? { span_mask: spanMask(rows, total, soft) } : {}),
    };
    this.inputs.forEach(({ name, shape }, i) => {
      const parts = shares.map(({ prompt }) => prompt.values[i]!);
      feeds[name] = stack(parts, shape);
    });
    if (!many) return feeds;
    const index = shares.flatMap(({ rows }, n) => rows.map(() => BigInt(n)));
    feeds.prompt_index = { data: BigInt64Array.from(index), shape: [rows.length] };
    if (method === 'prefix') feeds.prefix_mask = prefixMask(shares, length);
    return feeds;
  }

  #target(rows: readonly (TrainRow & { readonly prompt: FedPrompt })[], total: number): TensorData {
    const { classes, loss } = this.#options;
    const soft = this.#softLength();
    const positions = loss === 'pooled' ? 1 : total;
    const data = new Float32Array(rows.length * positions * classes);
    // A span's classes are its distributions, so they come before the positions.
    const [perPosition, perClass] = loss === 'span' ? [1, total] : [classes, 1];
    const skip = loss === 'pooled' ? 0 : soft;
    rows.forEach(({ target, prompt }, b) => {
      const start = b * positions * classes;
      target.forEach((value, i) => {
        const position = skip + Math.floor(i / prompt.classes);
        data[start + position * perPosition + (i % prompt.classes) * perClass] = value;
      });
    });
    if (loss === 'pooled') return { data, shape: [rows.length, classes] };
    const shape = loss === 'span' ? [classes, total] : [total, classes];
    return { data, shape: [rows.length, ...shape] };
  }
}

/** How many losses a row's own is the sum of: 1 per labelled text, token or span. */
export function labelledItems({ target }: TrainRow, loss: LossKind, classes: number): number {
  const mass = target.reduce((sum, value) => sum + value, 0);
  return loss === 'span' ? mass / classes : mass;
}

function spanMask(rows: readonly TrainRow[], total: number, soft: number): TensorData {
  const data = new Float32Array(rows.length * total);
  rows.forEach(({ ids, spanMask }, b) => {
    const start = b * total + soft;
    if (spanMask) data.set(spanMask, start);
    else data.fill(1, start, start + ids.length);
  });
  return { data, shape: [rows.length, total] };
}

function prefixMask(shares: readonly Share[], length: number): TensorData {
  const data = new Float32Array(shares.length * length);
  shares.forEach(({ prompt }, n) => {
    data.fill(1, n * length, n * length + prompt.length);
  });
  return { data, shape: [shares.length, length] };
}

function vector(values: readonly number[]): TensorData {
  return { data: Float32Array.from(values), shape: [values.length] };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
