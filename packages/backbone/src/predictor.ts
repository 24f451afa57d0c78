/**
 * Logits for one batch of rows, each with a prompt of its own: assembles the serving graph's inputs
 * (stacking, padding and masking prompts and heads) and takes the results apart again. It knows
 * neither tasks nor tenants; batching policy lies with the caller.
 */
import { compile, type Program, type TensorData } from '@polyprompt/autodiff';
import {
  type Device,
  type DeviceChoice,
  onDevice,
  precisionOf,
  providersOf,
  resolveFor,
} from './device.ts';
import {
  type PoolingRule,
  poolWeights,
  type TokenRow,
  tokenBatch,
  usesPooler,
} from './graphs/batch.ts';
import type { PositionRule } from './graphs/positions.ts';
import { RowPrefixes } from './graphs/row-prefixes.ts';
import { type PromptKind, servingGraph } from './graphs/serving.ts';
import { type Precision, weightFolder } from './graphs/weights.ts';
import type { Backbone } from './open.ts';

interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The numbers of a prompt; @polyprompt/prompts' Prompt is one. */
export interface PromptTensors {
  /** [layers, 2, heads, P, headDim] */
  readonly prefix?: Tensor;
  /** [P, hidden] */
  readonly softPrompt?: Tensor;
  /** [hidden, hidden], [hidden]: a dense layer with tanh between pooled state and head. */
  readonly denseWeight?: Tensor;
  readonly denseBias?: Tensor;
  /** [hidden, C] */
  readonly headWeight: Tensor;
  /** [C] */
  readonly headBias: Tensor;
  readonly pooling: PoolingRule;
  readonly positions: PositionRule;
}

/** Everything of a prompt that takes room. */
export function tensorsOf(prompt: PromptTensors): Tensor[] {
  const { prefix, softPrompt, denseWeight, denseBias, headWeight, headBias } = prompt;
  return [prefix, softPrompt, denseWeight, denseBias, headWeight, headBias].filter(
    (tensor) => tensor !== undefined,
  );
}

export interface PredictRow {
  readonly ids: readonly number[];
  readonly typeIds?: readonly number[];
  readonly prompt: PromptTensors;
}

export interface RowLogits {
  readonly classes: number;
  /** [C] */
  readonly pooled: Float32Array;
  /** [tokens of the row, C]; cut out when asked for. */
  readonly tokens: Float32Array;
}

export interface PredictorOptions {
  readonly device?: DeviceChoice;
  readonly threads?: number | undefined;
  /**
   * Of the large matrices. `int8` is for CPUs: twice to three times as fast, answers a little off.
   * @default float16 on CUDA, else float32
   */
  readonly precision?: Precision | undefined;
}

export class Predictor {
  readonly backbone: Backbone;
  readonly #choice: DeviceChoice;
  readonly #precision: Precision | undefined;
  #device: Device;
  readonly #threads: number | undefined;
  readonly #programs = new Map<string, Promise<Program>>();
  readonly #prefixes: RowPrefixes;
  /** Batches run one after another: they share the memory of the prefixes. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws BackboneError `device_unavailable`; `bad_option` for int8 on a GPU */
  constructor(backbone: Backbone, { device = 'auto', threads, precision }: PredictorOptions = {}) {
    this.backbone = backbone;
    this.#choice = device;
    this.#device = resolveFor(device, precision);
    this.#precision = precision;
    this.#threads = threads;
    this.#prefixes = new RowPrefixes(backbone.spec);
  }

  /** Where it computes; known for sure when the first program is there. */
  get device(): Device {
    return this.#device;
  }

  /** What the large matrices are multiplied in there. */
  get precision(): Precision {
    return this.#precision ?? precisionOf(this.#device);
  }

  /**
   * Runs rows as one batch (more when some have soft prompts or dense layers and others do not). Blocks the
   * thread while it computes.
   */
  predict(rows: readonly PredictRow[]): Promise<RowLogits[]> {
    const turn = this.#turn.then(() => this.#predict(rows));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #predict(rows: readonly PredictRow[]): Promise<RowLogits[]> {
    const results: RowLogits[] = new Array(rows.length);
    const groups = Map.groupBy(rows.keys(), (i) => groupOf(rows[i]!.prompt));
    for (const chosen of groups.values()) {
      const logits = await this.#run(chosen.map((i) => rows[i]!));
      chosen.forEach((at, i) => {
        results[at] = logits[i]!;
      });
    }
    return results;
  }

  /** Builds the program for a kind of prompts now instead of at the first batch that needs it. */
  async warm(kind: PromptKind = 'prefix'): Promise<void> {
    await this.#program(kind);
  }

  async release(): Promise<void> {
    for (const program of this.#programs.values()) await (await program).release();
    this.#programs.clear();
  }

  #program(kind: PromptKind, dense = false): Promise<Program> {
    const key = dense ? `${kind} dense` : kind;
    let program = this.#programs.get(key);
    if (!program) {
      program = this.#compile(kind, dense);
      this.#programs.set(key, program);
    }
    return program;
  }

  async #compile(kind: PromptKind, dense: boolean): Promise<Program> {
    const { spec, checkpoint } = this.backbone;
    const { made, device } = await onDevice(this.#choice, this.#device, (on) => {
      const precision = this.#precision ?? precisionOf(on);
      return compile(servingGraph(spec, checkpoint, kind, { dense, precision }).outputs, {
        externalFolder: weightFolder(checkpoint),
        providers: providersOf(on),
        // Packed 8-bit matrices replace those of the graph; mapped float ones would be held twice.
        prepack: precision === 'int8',
        consume: true,
        ...(this.#threads ? { threads: this.#threads } : {}),
      });
    });
    this.#device = device;
    return made;
  }

  /** @param rows all of one group */
  async #run(rows: readonly PredictRow[]): Promise<RowLogits[]> {
    const soft = usesSoft(rows[0]!.prompt);
    const dense = rows[0]!.prompt.denseWeight !== undefined;
    const prompts = [...new Set(rows.map(({ prompt }) => prompt))];
    const length = prompts.reduce((longest, prompt) => Math.max(longest, lengthOf(prompt)), 0);
    const kind: PromptKind = length === 0 ? 'none' : soft ? 'soft' : 'prefix';
    const program = await this.#program(kind, dense);
    const softLength = soft ? length : 0;
    const tokens = tokenBatch(this.backbone.spec, rows.map(tokenRow), softLength);
    const total = tokens.attention_mask.shape[1]!;
    const pooled = rows.map(({ ids, prompt }) => ({
      ids,
      pooling: prompt.pooling,
      softLength: soft ? lengthOf(prompt) : 0,
    }));
    const index = new Map(prompts.map((prompt, n) => [prompt, BigInt(n)]));
    const feeds: Record<string, TensorData> = {
      ...tokens,
      pool_weights: poolWeights(pooled, total, softLength),
      prompt_index: {
        data: BigInt64Array.from(rows, ({ prompt }) => index.get(prompt)!),
        shape: [rows.length],
      },
      ...heads(prompts, this.backbone.spec.hidden),
      ...(dense ? denseLayers(prompts, this.backbone.spec.hidden) : {}),
      ...(kind === 'prefix'
        ? this.#prefixes.feeds(
            rows.map(({ prompt }) => prompt.prefix),
            length,
          )
        : {}),
      ...(kind === 'soft' ? softPrompts(prompts, length) : {}),
    };
    if (this.backbone.checkpoint.hasPooler) {
      const use = Uint8Array.from(rows, ({ prompt }) => Number(usesPooler(prompt.pooling)));
      feeds.use_pooler = { data: use, shape: [rows.length, 1] };
    }
    const result = await program.run(feeds);
    return rows.map((row, b) => rowLogits(row, b, result, total, softLength));
  }
}

/** Rows of one group run as one batch: their graph has the same inputs. */
function groupOf(prompt: PromptTensors): string {
  return `${usesSoft(prompt)} ${prompt.denseWeight !== undefined}`;
}

function usesSoft(prompt: PromptTensors): boolean {
  // A soft prompt that was compiled into a prefix (causal decoders) is served as one.
  return prompt.softPrompt !== undefined && prompt.prefix === undefined;
}

function lengthOf(prompt: PromptTensors): number {
  return prompt.prefix?.shape[3] ?? prompt.softPrompt?.shape[0] ?? 0;
}

function tokenRow({ ids, typeIds, prompt }: PredictRow): TokenRow {
  const { positions } = prompt;
  return { ids, ...(typeIds ? { typeIds } : {}), promptLength: lengthOf(prompt), positions };
}

/** Heads side by side, padded to the largest number of classes. */
function heads(prompts: readonly PromptTensors[], hidden: number): Record<string, TensorData> {
  const classes = Math.max(...prompts.map(({ headBias }) => headBias.data.length));
  const weight = new Float32Array(prompts.length * hidden * classes);
  const bias = new Float32Array(prompts.length * classes);
  prompts.forEach(({ headWeight, headBias }, n) => {
    const own = headBias.data.length;
    bias.set(headBias.data, n * classes);
    const from = headWeight.data;
    const at = n * hidden * classes;
    if (own === classes) weight.set(from, at);
    else {
      // Element by element: a view and a copy per row of a few classes took ten times as long.
      for (let h = 0; h < hidden; h++) {
        for (let c = 0; c < own; c++) weight[at + h * classes + c] = from[h * own + c]!;
      }
    }
  });
  return {
    head_weight: { data: weight, shape: [prompts.length, hidden, classes] },
    head_bias: { data: bias, shape: [prompts.length, classes] },
  };
}

/** Dense layers side by side; every row of the batch has one. */
function denseLayers(
  prompts: readonly PromptTensors[],
  hidden: number,
): Record<string, TensorData> {
  const weight = new Float32Array(prompts.length * hidden * hidden);
  const bias = new Float32Array(prompts.length * hidden);
  prompts.forEach(({ denseWeight, denseBias }, n) => {
    weight.set(denseWeight!.data, n * hidden * hidden);
    bias.set(denseBias!.data, n * hidden);
  });
  return {
    dense_weight: { data: weight, shape: [prompts.length, hidden, hidden] },
    dense_bias: { data: bias, shape: [prompts.length, hidden] },
  };
}

/** Soft prompts side by side, padded in front (see tokenBatch). */
function softPrompts(
  prompts: readonly PromptTensors[],
  length: number,
): Record<string, TensorData> {
  const hidden = prompts.find(({ softPrompt }) => softPrompt)!.softPrompt!.shape[1]!;
  const data = new Float32Array(prompts.length * length * hidden);
  prompts.forEach((prompt, n) => {
    if (!prompt.softPrompt) return;
    const missing = length - prompt.softPrompt.shape[0]!;
    data.set(prompt.softPrompt.data, (n * length + missing) * hidden);
  });
  return { soft_prompt: { data, shape: [prompts.length, length, hidden] } };
}

function rowLogits(
  { ids, prompt }: PredictRow,
  b: number,
  result: Readonly<Record<string, TensorData>>,
  total: number,
  softLength: number,
): RowLogits {
  const classes = prompt.headBias.data.length;
  const padded = result.pooled_logits!.shape[1]!;
  const pooledLogits = result.pooled_logits!.data as Float32Array;
  const tokenLogits = result.token_logits!.data as Float32Array;
  return {
    classes,
    pooled: pooledLogits.slice(b * padded, b * padded + classes),
    get tokens() {
      const tokens = new Float32Array(ids.length * classes);
      for (let t = 0; t < ids.length; t++) {
        const at = (b * total + softLength + t) * padded;
        for (let c = 0; c < classes; c++) tokens[t * classes + c] = tokenLogits[at + c]!;
      }
      return tokens;
    },
  };
}
