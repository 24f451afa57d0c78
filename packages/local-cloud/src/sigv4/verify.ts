/**
 * Who may call: every request must carry a valid Signature Version 4, in the Authorization header or in the
 * query (presigned). There is no anonymous access and no way to switch this off.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Credentials } from '../credentials.ts';
import { WireError } from '../errors.ts';
import type { WireRequest } from '../http/request.ts';
import { ChunkSigner } from './chunks.ts';
import { canonicalHash, encodePath, type Scope, signature, signingKey } from './signing.ts';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_PRESIGN_SECONDS = 7 * 24 * 3600;

export interface VerifyOptions {
  readonly credentials: Credentials;
  readonly service: 's3' | 'sqs';
  readonly now: number;
  /** Largest accepted difference between the signer's clock and ours, in milliseconds. */
  readonly maxSkewMs: number;
}

/** What the signature promises about the body. */
export type Payload =
  | { readonly kind: 'sha256'; readonly sha256: string }
  | { readonly kind: 'unsigned' }
  /** aws-chunked framing; `signer` checks the chunks when they are signed. */
  | { readonly kind: 'chunked'; readonly signer: ChunkSigner | null };

interface Claim {
  readonly accessKeyId: string;
  readonly scope: Scope;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly timestamp: string;
  readonly payload: string;
  readonly presigned: boolean;
}

/**
 * @returns the promise about the body, which the reader of the body must enforce.
 * @throws WireError 403 (or 400 for a malformed claim) in the service's own words.
 */
export function verifyRequest(request: WireRequest, options: VerifyOptions): Payload {
  const claim = request.query.has('X-Amz-Signature')
    ? presignedClaim(request)
    : headerClaim(request);
  const { credentials, service } = options;
  if (claim.accessKeyId !== credentials.accessKeyId) {
    throw service === 's3'
      ? new WireError(
          'InvalidAccessKeyId',
          403,
          'The access key id is not known here; use the credentials of this server',
        )
      : new WireError(
          'InvalidClientTokenId',
          403,
          'The access key id is not known here; use the credentials of this server',
        );
  }
  if (claim.scope.service !== service || !claim.timestamp.startsWith(claim.scope.date)) {
    throw denied(
      'SignatureDoesNotMatch',
      `The credential scope must name the day of the request and the service ${service}`,
    );
  }
  checkTime(request, claim, options);
  checkCoverage(request, claim);

  const key = signingKey(credentials.secretAccessKey, claim.scope);
  const hash = canonicalHash({
    method: request.method,
    // S3 signs the path encoded once, every other service encodes it once more.
    path: service === 's3' ? encodePath(request.path) : encodePath(request.rawPath),
    query: request.queryPairs.filter(([name]) => name !== 'X-Amz-Signature'),
    headers: claim.signedHeaders.map((name) => [
      name,
      request.header(name)?.trim().replace(/ +/g, ' ') ?? '',
    ]),
    payload: claim.payload,
  });
  if (!equal(signature(key, ALGORITHM, claim.timestamp, claim.scope, hash), claim.signature)) {
    throw denied(
      'SignatureDoesNotMatch',
      'The request signature does not match; check the secret access key and what was signed',
    );
  }
  return payloadPromise(claim, key);
}

function headerClaim(request: WireRequest): Claim {
  const header = request.header('authorization');
  if (header === undefined)
    throw denied('AccessDenied', 'The request is not signed; anonymous access is not allowed');
  const match =
    /^AWS4-HMAC-SHA256 +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (!match) throw malformed('The Authorization header is not a valid AWS4-HMAC-SHA256 header');
  const payload = request.header('x-amz-content-sha256');
  if (payload === undefined) throw malformed('The header x-amz-content-sha256 is missing');
  return {
    ...credentialOf(match[1]!),
    signedHeaders: match[2]!.split(';'),
    signature: match[3]!,
    timestamp: request.header('x-amz-date') ?? '',
    payload,
    presigned: false,
  };
}

function presignedClaim(request: WireRequest): Claim {
  const param = (name: string): string => {
    const value = request.query.get(name);
    if (value === undefined) throw malformed(`The query parameter ${name} is missing`);
    return value;
  };
  if (param('X-Amz-Algorithm') !== ALGORITHM)
    throw malformed(`X-Amz-Algorithm must be ${ALGORITHM}`);
  return {
    ...credentialOf(param('X-Amz-Credential')),
    signedHeaders: param('X-Amz-SignedHeaders').split(';'),
    signature: param('X-Amz-Signature'),
    timestamp: param('X-Amz-Date'),
    payload: request.query.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD',
    presigned: true,
  };
}

function credentialOf(text: string): Pick<Claim, 'accessKeyId' | 'scope'> {
  const [accessKeyId, date, region, service, end, ...rest] = text.split('/');
  if (!accessKeyId || !date || !region || !service || end !== 'aws4_request' || rest.length > 0) {
    throw malformed(
      `The credential "${text}" is not <key id>/<yyyymmdd>/<region>/<service>/aws4_request`,
    );
  }
  return { accessKeyId, scope: { date, region, service } };
}

function checkTime(request: WireRequest, claim: Claim, { now, maxSkewMs }: VerifyOptions): void {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(claim.timestamp);
  if (!match) throw malformed(`The request time "${claim.timestamp}" is not <yyyymmdd>T<hhmmss>Z`);
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const signed = Date.UTC(year, month - 1, day, hour, minute, second);
  if (!claim.presigned) {
    if (Math.abs(now - signed) > maxSkewMs) {
      throw denied(
        'RequestTimeTooSkewed',
        `The request time differs from the server's by more than ${maxSkewMs / 1000} s`,
      );
    }
    return;
  }
  const expires = Number(request.query.get('X-Amz-Expires'));
  if (!Number.isInteger(expires) || expires < 1 || expires > MAX_PRESIGN_SECONDS) {
    throw malformed(`X-Amz-Expires must be 1 to ${MAX_PRESIGN_SECONDS} seconds`);
  }
  if (signed - now > maxSkewMs) throw denied('AccessDenied', 'Request is not valid yet');
  if (now > signed + expires * 1000) throw denied('AccessDenied', 'Request has expired');
}

/** The host and everything that changes what the request means must be under the signature. */
function checkCoverage(request: WireRequest, claim: Claim): void {
  const signed = new Set(claim.signedHeaders);
  const open = ['host', ...request.headerNames.filter((name) => name.startsWith('x-amz-'))].filter(
    (name) => !signed.has(name),
  );
  if (open.length > 0) {
    throw denied(
      'AccessDenied',
      `There were headers present in the request which were not signed: ${open.join(', ')}`,
    );
  }
}

function payloadPromise(claim: Claim, key: Buffer): Payload {
  switch (claim.payload) {
    case 'UNSIGNED-PAYLOAD':
      return { kind: 'unsigned' };
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return { kind: 'chunked', signer: null };
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return {
        kind: 'chunked',
        signer: new ChunkSigner(key, claim.timestamp, claim.scope, claim.signature),
      };
    default:
      if (!/^[0-9a-f]{64}$/.test(claim.payload)) {
        throw malformed(
          `x-amz-content-sha256 "${claim.payload}" is neither a SHA-256 in hex nor a known keyword`,
        );
      }
      return { kind: 'sha256', sha256: claim.payload };
  }
}

function equal(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function denied(code: string, message: string): WireError {
  return new WireError(code, 403, message);
}

function malformed(message: string): WireError {
  return new WireError('AuthorizationHeaderMalformed', 400, message);
}
