/**
 * What an operator sees of requests: one log line each, and metrics. Neither holds a text of a user or
 * a secret; metrics have no label whose values a user can make up (tenant, prompt, path).
 */
import type { OperationId } from '@polyprompt/contract';
import type { Logger } from 'pino';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Caller } from './call.ts';
import { toApiError } from './errors.ts';

export interface Finished {
  readonly requestId: string;
  readonly method: string;
  /** Undefined where no route matched. */
  readonly operation: OperationId | undefined;
  readonly caller: Caller | undefined;
  readonly status: number;
  readonly error: unknown;
}

export interface Observer {
  /** Called when a request arrives; the result, once, when it is answered. */
  begin(): (finished: Finished) => void;
}

export interface ObserverOptions {
  readonly logger: Logger;
  readonly metrics: Registry;
}

const SECONDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

export function createObserver({ logger, metrics }: ObserverOptions): Observer {
  const registers = [metrics];
  const requests = new Counter({
    name: 'polyprompt_http_requests_total',
    help: 'Requests answered.',
    labelNames: ['operation', 'status'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'polyprompt_http_request_seconds',
    help: 'Time until the answer began.',
    labelNames: ['operation'] as const,
    buckets: SECONDS,
    registers,
  });
  const open = new Gauge({
    name: 'polyprompt_http_requests_open',
    help: 'Requests being worked on.',
    registers,
  });
  return {
    begin() {
      const begun = performance.now();
      open.inc();
      return ({ requestId, method, operation = 'none', caller, status, error }) => {
        const ms = performance.now() - begun;
        open.dec();
        requests.inc({ operation, status: String(status) });
        seconds.observe({ operation }, ms / 1000);
        const line = {
          requestId,
          method,
          operation,
          status,
          ms: Math.round(ms * 10) / 10,
          ...(caller && { tenant: caller.tenant, key: caller.keyId }),
          ...(error !== undefined && describeError(error, status)),
        };
        if (status >= 500) logger.error(line, 'request failed');
        else logger.info(line, 'request');
      };
    },
  };
}

/** The message of a client's mistake may quote what the client sent, so it is not logged; ours is. */
function describeError(error: unknown, status: number): object {
  const { code, param, cause } = toApiError(error);
  return status >= 500 ? { code, err: cause ?? error } : { code, ...(param && { param }) };
}
