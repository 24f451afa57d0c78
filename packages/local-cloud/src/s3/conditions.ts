/** HTTP preconditions. Write conditions are judged early, to spare an upload, and again inside the transaction. */
import type { WireRequest } from '../http/request.ts';
import { s3Error } from './errors.ts';

/** `absent`: nothing may be stored under the key. `match`: what is stored must have this ETag (`*`: any). */
export type WriteCondition =
  | { readonly kind: 'none' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'match'; readonly etag: string };

/** @throws WireError `NotImplemented` for what S3 does not offer on writes either. */
export function writeCondition(request: WireRequest): WriteCondition {
  const ifMatch = request.header('if-match');
  const ifNoneMatch = request.header('if-none-match');
  if (ifMatch !== undefined && ifNoneMatch !== undefined) {
    throw s3Error('NotImplemented', 'If-Match and If-None-Match together are not served');
  }
  if (ifMatch !== undefined) return { kind: 'match', etag: bare(ifMatch) };
  if (ifNoneMatch === undefined) return { kind: 'none' };
  if (ifNoneMatch.trim() !== '*')
    throw s3Error('NotImplemented', 'If-None-Match on a write takes only *');
  return { kind: 'absent' };
}

/** @throws WireError 412 `PreconditionFailed`, or 404 `NoSuchKey` for If-Match on a key that holds nothing. */
export function assertWritable(
  condition: WriteCondition,
  current: { etag: string } | undefined,
): void {
  if (condition.kind === 'none') return;
  if (condition.kind === 'absent') {
    if (current) throw failed('If-None-Match');
    return;
  }
  if (!current)
    throw s3Error('NoSuchKey', 'The specified key does not exist, so If-Match cannot hold');
  if (condition.etag !== '*' && condition.etag !== bare(current.etag)) throw failed('If-Match');
}

/**
 * Judges the conditions of GET and HEAD by the precedence of RFC 9110 section 13.2.2.
 * @returns true when the client's copy is current (answer 304).
 */
export function notModified(
  request: WireRequest,
  current: { etag: string; modified: number },
): boolean {
  const ifMatch = request.header('if-match');
  const ifNoneMatch = request.header('if-none-match');
  const seconds = Math.floor(current.modified / 1000) * 1000;
  if (ifMatch !== undefined) {
    if (!listed(ifMatch, current.etag)) throw failed('If-Match');
  } else {
    const unmodifiedSince = Date.parse(request.header('if-unmodified-since') ?? '');
    if (seconds > unmodifiedSince) throw failed('If-Unmodified-Since');
  }
  if (ifNoneMatch !== undefined) return listed(ifNoneMatch, current.etag);
  return seconds <= Date.parse(request.header('if-modified-since') ?? '');
}

function listed(header: string, etag: string): boolean {
  return header.split(',').some((entry) => entry.trim() === '*' || bare(entry) === bare(etag));
}

/** ETags are compared without quotes and weakness: clients send them either way. */
function bare(etag: string): string {
  return etag
    .trim()
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/, '$1');
}

function failed(header: string) {
  return s3Error(
    'PreconditionFailed',
    `At least one of the pre-conditions you specified did not hold: ${header}`,
  );
}
