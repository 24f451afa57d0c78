/** What one request asks for and gets. */
import type { Task, TaskTypes } from '@polyprompt/tasks';

export interface InferRequest<T extends TaskTypes> {
  /** Content-addressed id of a prompt version: what it names never changes. */
  readonly promptKey: string;
  readonly task: Task<T>;
  readonly inputs: readonly T['input'][];
  /** Settings of the answers. */
  readonly options?: T['options'];
  /** Cut texts that are too long; without it they are refused. */
  readonly truncate?: boolean;
  /** Whose turn in the queue it takes. */
  readonly tenant?: string;
  readonly deadlineMs?: number;
  /** Aborted when nobody waits for the answer any longer. */
  readonly signal?: AbortSignal;
}

export interface InferResult<T extends TaskTypes> {
  /** One per input, in order. */
  readonly answers: readonly T['answer'][];
  /** Indices of the inputs that were cut. */
  readonly truncated: readonly number[];
  /** Unicode code points of the inputs. */
  readonly characters: number;
  /** Tokens that were computed, special ones included, padding not. */
  readonly tokens: number;
  readonly timing: Timing;
}

/** Milliseconds. */
export interface Timing {
  /** Waiting for the prompt; about 0 if it was in memory. */
  readonly loadMs: number;
  readonly tokenizationMs: number;
  readonly queueMs: number;
  readonly inferenceMs: number;
  readonly totalMs: number;
}
