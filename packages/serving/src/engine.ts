/**
 * The path of a request: admitted, its prompt pinned, its inputs tokenised, its rows batched with those
 * of others and computed on a worker thread, the logits made answers by the task. This thread only waits.
 */
import { availableParallelism } from 'node:os';
import {
  type Backbone,
  type DeviceChoice,
  openBackbone,
  type Precision,
  type PromptKind,
  tensorsOf,
  usableTokens,
} from '@polyprompt/backbone';
import { type Clock, steadyClock } from '@polyprompt/clock';
import { type Prompt, promptLength } from '@polyprompt/prompts';
import type { EncodedInputs, TaskName, TaskTypes } from '@polyprompt/tasks';
import { Admission } from './admission.ts';
import { Batcher, type BatcherStats } from './batcher.ts';
import { countCharacters } from './count-characters.ts';
import { ServingError, type TooLong } from './errors.ts';
import { checkFit } from './fit-prompt.ts';
import { type ServingLimits, withDefaults } from './limits.ts';
import { type CacheStats, type Lease, PromptCache } from './prompt-cache.ts';
import type { InferenceRow, Runtime } from './protocol.ts';
import type { InferRequest, InferResult } from './request.ts';
import { openScope, type RequestScope } from './request-scope.ts';
import { WorkerPool } from './worker-pool.ts';

/** Fetches a prompt version by its content-addressed key; undefined if there is none. */
export type LoadPrompt = (key: string, signal: AbortSignal) => Promise<Prompt | undefined>;

export interface EngineOptions {
  readonly backboneDir: string;
  /** The same, opened already: its files are then hashed once. */
  readonly backbone?: Backbone;
  readonly load: LoadPrompt;
  readonly limits?: Partial<ServingLimits>;
  /** Default `auto`: CUDA where it is installed, else the CPU. */
  readonly device?: DeviceChoice;
  /**
   * Of the large matrices. `int8` is for CPUs: twice to three times as many answers, a little off. Default: that of
   * the device, float32 on a CPU.
   */
  readonly precision?: Precision;
  /** Worker threads, each with its own sessions. Default 1: one batch at a time on all cores. */
  readonly workers?: number;
  /** Threads inside one operator. Default: the cores, divided among the workers. */
  readonly threads?: number;
  /** Graphs that are ready before the engine is; others are built at their first use. Default prefixes. */
  readonly graphs?: readonly PromptKind[];
  readonly clock?: Clock;
  /** The module of the worker threads. */
  readonly workerEntry?: URL;
}

export interface EngineStats {
  /** Where the workers compute; null while they are not ready. */
  readonly runtime: Runtime | null;
  /** Inputs admitted and not yet answered. */
  readonly pendingInputs: number;
  /** Requests refused as `overloaded`. */
  readonly refused: number;
  /** Workers that died and were replaced. */
  readonly restarts: number;
  readonly batcher: BatcherStats;
  readonly cache: CacheStats;
}

/** What the cache holds of a prompt; its tensors are with the workers. */
interface Resident {
  readonly number: number;
  readonly task: TaskName;
  readonly labels: readonly string[];
  readonly answering: Prompt['answering'];
  readonly length: number;
  /** Length of the part that is computed like tokens. */
  readonly softLength: number;
  readonly bytes: number;
}

type Row = InferenceRow & { readonly tokens: number; readonly bytes: number };

/** The workers lost the prompt of a request that had not begun: it can simply be loaded again. */
class PromptLost extends Error {}

/**
 * Opens a backbone and starts to load it; requests may come at once and wait.
 * @throws ServingError `bad_option`; BackboneError if the folder is not a usable backbone
 * @example
 * const engine = createEngine({ backboneDir: 'models/polyprompt-mini', load: (key) => store.read(key) });
 * await engine.ready();
 * const { answers } = await engine.infer({ promptKey, task: textClassification, inputs: [{ text: 'Hola' }] });
 */
export function createEngine(options: EngineOptions): Engine {
  return new Engine(options);
}

export class Engine {
  readonly limits: ServingLimits;
  readonly #backbone: Backbone;
  readonly #clock: Clock;
  readonly #pool: WorkerPool;
  readonly #cache: PromptCache<Prompt, Resident>;
  readonly #admission: Admission;
  readonly #batcher: Batcher<Row, Float32Array>;
  readonly #open = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: EngineOptions) {
    const { backboneDir, clock = steadyClock, workers = 1, device = 'auto', precision } = options;
    const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / workers));
    checkCount('workers', workers);
    checkCount('threads', threads);
    this.limits = withDefaults(options.limits);
    this.#clock = clock;
    this.#backbone = options.backbone ?? openBackbone(backboneDir);
    this.#admission = new Admission(this.limits);
    this.#pool = new WorkerPool({
      workers,
      settings: { backboneDir, device, precision, threads, graphs: options.graphs ?? ['prefix'] },
      onLost: () => this.#workerLost(),
      ...(options.workerEntry ? { entry: options.workerEntry } : {}),
    });
    try {
      // Here, so that a bad tokenizer stops the start, not the first request; a large one takes as long as the
      // workers do, which are at it by now.
      this.#backbone.tokenizer();
    } catch (error) {
      void this.#pool.close();
      throw error;
    }
    this.#cache = new PromptCache<Prompt, Resident>({
      load: (key, signal) => this.#load(key, options.load, signal),
      place: (prompt) => this.#place(prompt),
      dispose: ({ number }) => this.#pool.drop(number),
      maxBytes: this.limits.cacheBytes,
      loadMs: this.limits.loadMs,
      clock,
    });
    this.#batcher = new Batcher<Row, Float32Array>({
      run: (rows) => this.#pool.run(rows),
      workers,
      limits: this.limits,
      clock,
    });
  }

  /**
   * Resolves when every worker has loaded the backbone and computed a batch with each of its graphs.
   * @throws ServingError `start_failed`, `worker_crashed`, `closed`; BackboneError
   */
  async ready(): Promise<Runtime> {
    const [runtime] = await Promise.all([this.#pool.ready(), this.#backbone.fingerprint()]);
    return runtime;
  }

  /**
   * Answers the inputs of one request.
   * @throws ServingError; TaskError for bad options of the answers
   */
  infer<T extends TaskTypes>(request: InferRequest<T>): Promise<InferResult<T>> {
    const answer = this.#admitted(request);
    this.#open.add(answer);
    const done = () => this.#open.delete(answer);
    answer.then(done, done);
    return answer;
  }

  stats(): EngineStats {
    const { pending, refused } = this.#admission.stats();
    return {
      runtime: this.#pool.runtime,
      pendingInputs: pending,
      refused,
      restarts: this.#pool.restarts,
      batcher: this.#batcher.stats(),
      cache: this.#cache.stats(),
    };
  }

  /** Refuses new requests, answers those it has, and ends the workers. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#open);
    await this.#pool.close();
  }

  async #admitted<T extends TaskTypes>(request: InferRequest<T>): Promise<InferResult<T>> {
    if (this.#closed) throw new ServingError('closed', 'the engine is closed');
    const { inputs, tenant = '', deadlineMs = this.limits.deadlineMs, signal } = request;
    checkCount('deadlineMs', deadlineMs);
    const leave = this.#admission.enter(tenant, inputs.length);
    const scope = openScope(deadlineMs, signal, this.#clock);
    try {
      return await this.#answer(request, scope);
    } finally {
      scope.end();
      // The tokenizer cannot be stopped: what it still works on counts, or leaving early would get past the limits.
      if (scope.rest) scope.rest.then(leave);
      else leave();
    }
  }

  async #answer<T extends TaskTypes>(
    request: InferRequest<T>,
    scope: RequestScope,
  ): Promise<InferResult<T>> {
    const { promptKey, tenant = '' } = request;
    const begun = this.#clock.now();
    for (;;) {
      const lease = await this.#cache.acquire(promptKey, scope.signal);
      try {
        const loaded = this.#clock.now();
        const encoded = await scope.guard(this.#encode(request, lease));
        const tokenized = this.#clock.now();
        const { results, queueMs, inferenceMs } = await this.#batcher.submit(
          rowsOf(encoded, lease, request.task.output),
          { tenant, signal: scope.signal },
        );
        return {
          answers: answersOf(request, encoded, results, lease.value),
          truncated: encoded.overruns.map(({ example }) => example),
          characters: countCharacters(request.inputs),
          tokens: encoded.pieces.reduce((sum, { ids }) => sum + ids.length, 0),
          timing: {
            loadMs: loaded - begun,
            tokenizationMs: tokenized - loaded,
            queueMs,
            inferenceMs,
            totalMs: this.#clock.now() - begun,
          },
        };
      } catch (error) {
        if (!(error instanceof PromptLost)) throw error;
      } finally {
        lease.release();
      }
    }
  }

  async #encode<T extends TaskTypes>(
    { promptKey, task, inputs, options, truncate = false }: InferRequest<T>,
    lease: Lease<Resident>,
  ): Promise<EncodedInputs> {
    const prompt = lease.value;
    if (prompt.task !== task.name) {
      throw new ServingError(
        'wrong_task',
        `prompt "${promptKey}" does ${prompt.task}, not ${task.name}`,
      );
    }
    const maxTokens = usableTokens(this.#backbone.spec, prompt.length);
    const tokenizer = this.#backbone.tokenizer();
    const causal = this.#backbone.spec.family === 'xglm';
    const limits = { maxTokens, truncate, causal, maxPieces: this.limits.requestRows };
    const encoded = await task.encode(inputs, tokenizer, limits, options);
    if (!truncate && encoded.overruns.length > 0) throw tooLong(encoded, maxTokens);
    if (lease.stale) throw new PromptLost();
    return encoded;
  }

  async #load(key: string, load: LoadPrompt, signal: AbortSignal): Promise<Prompt | undefined> {
    const [prompt, fingerprint] = await Promise.all([
      load(key, signal),
      this.#backbone.fingerprint(),
    ]);
    if (prompt) checkFit(key, prompt, this.#backbone, fingerprint);
    return prompt;
  }

  #place(prompt: Prompt): Resident {
    const { prefix, softPrompt, task, labels, answering } = prompt;
    return {
      number: this.#pool.load(prompt),
      task,
      labels,
      answering,
      length: promptLength(prompt),
      softLength: prefix ? 0 : (softPrompt?.shape[0] ?? 0),
      bytes: tensorsOf(prompt).reduce((sum, { data }) => sum + data.byteLength, 0),
    };
  }

  #workerLost(): void {
    this.#cache.clear();
    this.#batcher.rejectWaiting((begun) =>
      begun
        ? new ServingError('worker_crashed', 'the inference worker died; try again')
        : new PromptLost(),
    );
  }
}

function rowsOf(
  { pieces }: EncodedInputs,
  { value: { number, softLength, labels, bytes } }: Lease<Resident>,
  output: InferenceRow['output'],
): Row[] {
  return pieces.map(({ ids, typeIds }) => ({
    prompt: number,
    ids,
    typeIds,
    output,
    tokens: softLength + ids.length,
    // A row brings its prefix and its head, and has a score of every label for each token.
    bytes: bytes + ids.length * labels.length * Float32Array.BYTES_PER_ELEMENT,
  }));
}

function answersOf<T extends TaskTypes>(
  { inputs, task, options }: InferRequest<T>,
  { pieces }: EncodedInputs,
  logits: readonly Float32Array[],
  { labels, answering }: Resident,
): T['answer'][] {
  const chosen = { ...answering, ...options };
  const scored = pieces.map((piece, i) => ({ ...piece, logits: logits[i]! }));
  const byInput = Map.groupBy(scored, ({ example }) => example);
  return inputs.map((input, i) => task.answer(input, byInput.get(i) ?? [], labels, chosen));
}

function tooLong({ overruns }: EncodedInputs, room: number): ServingError {
  const details = overruns.map(({ example, tokens, limit = room, part }): TooLong => {
    return { input: example, tokens, limit, ...(part === undefined ? {} : { part }) };
  });
  const [{ input, tokens, limit, part }] = details as [TooLong];
  const others = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  const what = part === undefined ? `input ${input}` : `the ${part} of input ${input}`;
  return new ServingError(
    'too_long',
    `${what}${others} has ${tokens} tokens, the limit behind this prompt is ${limit}; shorten it or ask for truncation`,
    { tooLong: details },
  );
}

function checkCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new ServingError(
    'bad_option',
    `${name} is ${value}; it must be a whole number of at least 1`,
  );
}
