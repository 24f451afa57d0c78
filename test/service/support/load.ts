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
}

/** Sends the next request on each connection when the last one is answered. */
export function inferenceLoad(options: LoadOptions): Promise<autocannon.Result> {
  const { url, key, ref, text, connections, seconds, onAnswer } = options;
  return autocannon({
    url: `${url}/models/${ref}`,
    connections,
    duration: seconds,
    requests: [
      {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ inputs: text }),
        ...(onAnswer && {
          onResponse(status, body, _, headers = {}) {
            const version = String(headers['x-prompt-version'] ?? '');
            onAnswer({ status, version, scores: scoresOf(body) });
          },
        }),
      },
    ],
  });
}

/** Requests that got no answer, or another one than success. */
export function failuresOf({ errors, timeouts, non2xx }: autocannon.Result): number {
  return errors + timeouts + non2xx;
}

export interface MovingAlias {
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
  const work = (async () => {
    const begun = performance.now();
    for (let moves = 0; ; ) {
      await client.moveAlias(name, alias, versions[++moves % versions.length]!);
      // On a schedule: how long a move takes does not make them fewer.
      const waitMs = Math.max(0, begun + moves * everyMs - performance.now());
      await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return moves;
    }
  })();
  // Told by stop().
  work.catch(() => undefined);
  return {
    stop() {
      stopping.abort();
      return work;
    },
  };
}
