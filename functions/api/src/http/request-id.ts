import { randomBytes } from 'node:crypto';

const ACCEPTABLE = /^[A-Za-z0-9._-]{1,64}$/;

/** The id that the client or a proxy gave the request if it can stand in a log, or else a new one. */
export function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id');
  return given !== null && ACCEPTABLE.test(given)
    ? given
    : `req-${randomBytes(12).toString('hex')}`;
}
