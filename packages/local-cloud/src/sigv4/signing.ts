/** The arithmetic of AWS Signature Version 4, without any policy. */
import { createHash, createHmac } from 'node:crypto';

export const EMPTY_SHA256 = createHash('sha256').digest('hex');

/** What a signature is bound to: `<yyyymmdd>/<region>/<service>/aws4_request`. */
export interface Scope {
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

export function scopeText({ date, region, service }: Scope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

export function signingKey(secret: string, { date, region, service }: Scope): Buffer {
  return [date, region, service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`));
}

export interface CanonicalParts {
  readonly method: string;
  /** Already encoded as the service wants it. */
  readonly path: string;
  /** Decoded pairs, without the signature itself. */
  readonly query: readonly (readonly [string, string])[];
  /** Signed headers: lower-case names with trimmed values, sorted by name. */
  readonly headers: readonly (readonly [string, string])[];
  readonly payload: string;
}

/** Hash of the canonical request. Header values are latin1 strings as Node hands them over, that is, raw bytes. */
export function canonicalHash({ method, path, query, headers, payload }: CanonicalParts): string {
  const encodedQuery = query
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headerLines = headers.map(([name, value]) => `${name}:${value}\n`).join('');
  const names = headers.map(([name]) => name).join(';');
  const text = [method, path, encodedQuery, headerLines, names, payload].join('\n');
  return createHash('sha256').update(text, 'latin1').digest('hex');
}

export function signature(
  key: Buffer,
  algorithm: string,
  timestamp: string,
  scope: Scope,
  ...lines: string[]
): string {
  return hmac(key, [algorithm, timestamp, scopeText(scope), ...lines].join('\n')).toString('hex');
}

/** Percent-encodes everything but A-Z a-z 0-9 - . _ ~ (and `/` in a path). */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function encodePath(path: string): string {
  return path.split('/').map(encode).join('/');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
