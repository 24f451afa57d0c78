/** Answers for many inputs at once: sorted by length, so that little padding is computed, and back in order. */
import type { Backbone, Predictor } from '@polyprompt/backbone';
import type { Prompt } from '@polyprompt/prompts';
import type { ScoredPiece, Task, TaskTypes } from '@polyprompt/tasks';

/** A prompt with the backbone that it belongs to. */
export interface PromptInUse {
  readonly prompt: Prompt;
  readonly backbone: Backbone;
  readonly predictor: Predictor;
  /** The longest text in tokens, special ones included, that fits behind the prompt. */
  readonly room: number;
}

export interface AnswerLimits {
  /** Longest text in tokens; default and upper limit: what the backbone has room for. */
  readonly maxTokens?: number;
  /** Cut longer texts; otherwise they get no answer. */
  readonly truncate?: boolean;
  /** Largest padded size of one run, in tokens. */
  readonly batchTokens?: number;
}

export interface Outcome<Answer> {
  /** Undefined for an input that was refused because of its length. */
  readonly answer: Answer | undefined;
  /** Number of tokens of an input that was cut or refused. */
  readonly overrun: number | undefined;
  /** What is too long and how long it may be, where that is not the whole input. */
  readonly part?: string;
  readonly limit?: number;
}

export const DEFAULT_BATCH_TOKENS = 4096;

/** The limit that holds for a prompt, whatever was asked for. */
export function tokenLimit({ room }: PromptInUse, { maxTokens = room }: AnswerLimits): number {
  return Math.min(maxTokens, room);
}

/** One outcome per input, in their order. Holds all of them in memory: callers with many come in blocks. */
export async function answerInputs<T extends TaskTypes>(
  loaded: PromptInUse,
  task: Task<T>,
  inputs: readonly T['input'][],
  limits: AnswerLimits = {},
  options?: T['options'],
): Promise<Outcome<T['answer']>[]> {
  const { prompt, backbone, predictor } = loaded;
  const { truncate = false, batchTokens = DEFAULT_BATCH_TOKENS } = limits;
  const maxTokens = tokenLimit(loaded, limits);
  const causal = backbone.spec.family === 'xglm';
  const { pieces, overruns } = await task.encode(
    inputs,
    backbone.tokenizer(),
    { maxTokens, truncate, causal },
    options,
  );
  const scored: ScoredPiece[][] = inputs.map(() => []);
  const sorted = [...pieces].sort((a, b) => a.ids.length - b.ids.length);
  for (const batch of batchesOf(sorted, batchTokens)) {
    const logits = await predictor.predict(batch.map((piece) => ({ ...piece, prompt })));
    batch.forEach((piece, i) => {
      scored[piece.example]!.push({ ...piece, logits: logits[i]![task.output] });
    });
  }
  const chosen = { ...prompt.answering, ...options };
  const byInput = new Map(overruns.map((overrun) => [overrun.example, overrun]));
  return inputs.map((input, i) => {
    const { tokens, part, limit } = byInput.get(i) ?? {};
    return {
      answer:
        scored[i]!.length > 0 ? task.answer(input, scored[i]!, prompt.labels, chosen) : undefined,
      overrun: tokens,
      ...(part === undefined ? {} : { part }),
      ...(limit === undefined ? {} : { limit }),
    };
  });
}

/** Cuts rows in ascending order of length into groups whose padded size stays within the budget. */
function* batchesOf<T extends { readonly ids: readonly number[] }>(
  sorted: readonly T[],
  batchTokens: number,
): Generator<T[]> {
  let batch: T[] = [];
  for (const row of sorted) {
    if (batch.length > 0 && (batch.length + 1) * row.ids.length > batchTokens) {
      yield batch;
      batch = [];
    }
    batch.push(row);
  }
  if (batch.length > 0) yield batch;
}
