/** Inference requests over many connections, and an alias that moves meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { type Answer, type ServiceClient, scoresOf } from './client.ts';

export interface LoadOptions {
  readonly url: string;
  readonly key: string;
  /** Prompt reference. */
  readonly ref: string;
  readonly text: string;
  readonly connections: number;
  readonly seconds: number;
  readonly onAnswer?: (answer: Answer) => void;
  /** Asked after each answer; the load ends before its time when it is true. Needs `onAnswer`. */
  readonly isEnough?: () => boolean;
}

/** Sends the next request on each connection when the last one is answered. */
export function inferenceLoad(options: LoadOptions): Promise<autocannon.Result> {
  const { url, key, ref, text, connections, seconds, onAnswer, isEnough } = options;
  const request: autocannon.Request = {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: text }),
    ...(onAnswer && {
      onResponse(status, body, _, headers = {}) {
        const version = String(headers['x-prompt-version'] ?? '');
        onAnswer({ status, version, scores: scoresOf(body) });
        if (isEnough?.()) load.stop();
      },
    }),
  };
  const { promise, resolve, reject } = Promise.withResolvers<autocannon.Result>();
  const target = { url: `${url}/models/${ref}`, connections, duration: seconds };
  const load = autocannon({ ...target, requests: [request] }, (error, result) =>
    error ? reject(error) : resolve(result),
  );
  return promise;
}

/** Requests that got no answer, or another one than success. */
export function failuresOf({ errors, timeouts, non2xx }: autocannon.Result): number {
  return errors + timeouts + non2xx;
}

export interface MovingAlias {
  /** So far. */
  readonly moves: number;
  /** @returns how often it was moved */
  stop(): Promise<number>;
}

/** Moves an alias between versions, every `everyMs`, until stopped. */
export function keepMoving(
  client: ServiceClient,
  {
    name,
    alias,
    versions,
    everyMs,
  }: { name: string; alias: string; versions: readonly number[]; everyMs: number },
): MovingAlias {
  const stopping = new AbortController();
  let moves = 0;
  const work = (async () => {
    const begun = performance.now();
    for (;;) {
      await client.moveAlias(name, alias, versions[(moves + 1) % versions.length]!);
      moves++;
      // On a schedule: how long a move takes does not make them fewer.
      const waitMs = Math.max(0, begun + moves * everyMs - performance.now());
      await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return moves;
    }
  })();
  // Told by stop().
  work.catch(() => undefined);
  return {
    get moves() {
      return moves;
    },
    stop() {
      stopping.abort();
      return work;
    },
  };
}
