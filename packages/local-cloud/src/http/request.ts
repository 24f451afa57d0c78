/**
 * A request as it was sent: the raw path is kept (a URL parser would normalise `a/../b` and `//` in keys),
 * query and path are decoded strictly, and the body is pulled lazily so that a refusal needs no upload.
 */
import type { IncomingMessage } from 'node:http';
import { WireError } from '../errors.ts';

export interface WireRequest {
  readonly method: string;
  readonly rawPath: string;
  /** Decoded path, starting with `/`. */
  readonly path: string;
  readonly queryPairs: readonly (readonly [string, string])[];
  readonly query: ReadonlyMap<string, string>;
  readonly headerNames: readonly string[];
  /** Value of a header by its lower-case name; repeated headers are joined with a comma. */
  header(name: string): string | undefined;
  /** The raw body, once. */
  readonly body: AsyncIterable<Buffer>;
  /** Aborted when the client has gone or the server closes. */
  readonly signal: AbortSignal;
}

/** @throws WireError `InvalidURI` when the target is not valid percent-encoded UTF-8. */
export function parseRequest(
  incoming: IncomingMessage,
  body: AsyncIterable<Buffer>,
  signal: AbortSignal,
): WireRequest {
  const target = incoming.url ?? '/';
  const split = target.indexOf('?');
  const rawPath = split < 0 ? target : target.slice(0, split);
  const search = split < 0 ? '' : target.slice(split + 1);
  const queryPairs = search
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0
        ? ([decode(pair), ''] as const)
        : ([decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))] as const);
    });
  return {
    method: incoming.method ?? 'GET',
    rawPath,
    path: decode(rawPath),
    queryPairs,
    query: new Map(queryPairs),
    headerNames: Object.keys(incoming.headers),
    header: (name) => incoming.headersDistinct[name]?.join(','),
    body,
    signal,
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new WireError('InvalidURI', 400, `"${text}" is not percent-encoded UTF-8`);
  }
}
