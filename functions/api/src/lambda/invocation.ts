/** What the code below a request may know of the invocation that it is answered in. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { ApiError } from '@polyprompt/contract';
import type { AppDeps } from '../deps.ts';

/** The part of Lambda's context that is used. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number;
}

/** Left for the error to be written, after which the function is ended whatever it does. */
const ANSWER_MS = 1000;
/** Streams without an end get theirs this long before. */
const CUT_MS = 500;

const invocations = new AsyncLocalStorage<LambdaContext>();

/**
 * Runs one request. Its signal aborts when the client has left, or shortly before the time of the function is over.
 */
export async function inInvocation<T>(
  context: LambdaContext,
  left: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const cut = new AbortController();
  const timeout = setTimeout(
    () => cut.abort(timeOver()),
    Math.max(0, context.getRemainingTimeInMillis() - CUT_MS),
  );
  try {
    return await invocations.run(context, () => run(AbortSignal.any([left, cut.signal])));
  } finally {
    clearTimeout(timeout);
  }
}

/** For clients that are still there, unlike those that a signal aborts for without a reason of ours. */
function timeOver(): ApiError {
  const message =
    'no answer within the time that the host gives a request; ask for less at once, or try again';
  return new ApiError('deadline', 504, message);
}

/** The engine, with the time of the function as a deadline above its own. */
export function withinInvocation(engine: AppDeps['engine'], deadlineMs: number): AppDeps['engine'] {
  return {
    infer: (request) => engine.infer({ ...request, deadlineMs: deadlineOf(deadlineMs) }),
    stats: () => engine.stats(),
  };
}

function deadlineOf(deadlineMs: number): number {
  const remaining = invocations.getStore()?.getRemainingTimeInMillis();
  if (remaining === undefined) return deadlineMs;
  return Math.max(1, Math.min(deadlineMs, Math.floor(remaining - ANSWER_MS)));
}
