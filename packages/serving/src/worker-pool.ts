/** Several inference workers behind one face. Each holds every loaded prompt, so any can run any batch. */
import type { PromptTensors } from '@polyprompt/backbone';
import type { InferenceRow, Runtime, WorkerSettings } from './protocol.ts';
import { WorkerClient } from './worker-client.ts';

export interface PoolOptions {
  readonly workers: number;
  readonly settings: WorkerSettings;
  /** Called when a worker died: what was loaded is not everywhere any longer and must be loaded again. */
  readonly onLost: () => void;
  readonly entry?: URL;
}

export class WorkerPool {
  readonly #clients: readonly WorkerClient[];
  readonly #idle: WorkerClient[];
  #nextPrompt = 0;

  constructor({ workers, ...options }: PoolOptions) {
    this.#clients = Array.from({ length: workers }, () => new WorkerClient(options));
    this.#idle = [...this.#clients];
  }

  /** Where the workers compute; null while one of them is not ready. */
  get runtime(): Runtime | null {
    return this.#clients.every(({ runtime }) => runtime) ? this.#clients[0]!.runtime : null;
  }

  get restarts(): number {
    return this.#clients.reduce((sum, { restarts }) => sum + restarts, 0);
  }

  /** @throws ServingError as `WorkerClient.ready` */
  async ready(): Promise<Runtime> {
    const runtimes = await Promise.all(this.#clients.map((client) => client.ready()));
    return runtimes[0]!;
  }

  /** Copies a prompt to every worker. @returns the number that rows refer to */
  load(tensors: PromptTensors): number {
    const prompt = this.#nextPrompt++;
    for (const client of this.#clients) client.load(prompt, copyOf(tensors));
    return prompt;
  }

  drop(prompt: number): void {
    for (const client of this.#clients) client.drop(prompt);
  }

  /**
   * Runs a batch on an idle worker; the caller runs no more at a time than there are workers.
   * @throws ServingError as `WorkerClient.run`
   */
  async run(rows: readonly InferenceRow[]): Promise<readonly Float32Array[]> {
    const client = this.#idle.pop();
    if (!client) throw new Error('more batches at a time than workers');
    try {
      return await client.run(rows);
    } finally {
      this.#idle.push(client);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

/**
 * The tensors alone, in buffers of their own that can be handed to a thread: a prompt's may be views
 * into the file it was read from. (Shared memory would do with one copy for all threads, but the
 * collector does not count it, and a cache with turnover grows far beyond its limit.)
 */
function copyOf(prompt: PromptTensors) {
  const { prefix, softPrompt, denseWeight, denseBias, headWeight, headBias } = prompt;
  const { pooling, positions } = prompt;
  return {
    ...(prefix ? { prefix: copyTensor(prefix) } : {}),
    ...(softPrompt ? { softPrompt: copyTensor(softPrompt) } : {}),
    ...(denseWeight ? { denseWeight: copyTensor(denseWeight) } : {}),
    ...(denseBias ? { denseBias: copyTensor(denseBias) } : {}),
    headWeight: copyTensor(headWeight),
    headBias: copyTensor(headBias),
    pooling,
    positions,
  } satisfies PromptTensors;
}

function copyTensor({ shape, data }: PromptTensors['headBias']) {
  return { shape: [...shape], data: data.slice() };
}
