/**
 * One HTTP request from first byte to last: authenticate, find the operation, let faults strike, run it,
 * render the answer or the error in the service's own format. S3 and SQS share the port; a request with an
 * `x-amz-target` header of SQS is SQS, everything else is S3.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '@polyprompt/clock';
import type { Credentials } from './credentials.ts';
import { WireError } from './errors.ts';
import { type Faults, SLOW_BODY_MS } from './faults.ts';
import { readText } from './http/body.ts';
import type { Reply } from './http/reply.ts';
import { parseRequest, type WireRequest } from './http/request.ts';
import { resolveS3 } from './s3/service.ts';
import type { ObjectStore } from './s3/store.ts';
import { writeErrorXml } from './s3/xml.ts';
import { verifyRequest } from './sigv4/verify.ts';
import { sqsError } from './sqs/errors.ts';
import { Input } from './sqs/input.ts';
import type { SqsService } from './sqs/service.ts';

const SQS_TARGET = 'AmazonSQS.';
const MAX_SQS_BYTES = 16 * 1024 ** 2;

export interface GatewayOptions {
  readonly store: ObjectStore;
  readonly sqs: SqsService;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly credentials: Credentials;
  readonly maxSkewMs: number;
  /** Told about failures that are the server's own, not the client's. */
  readonly onError: (error: unknown) => void;
}

type Service = 's3' | 'sqs';

/** Thrown to drop the connection without an answer. */
const RESET = Symbol('reset');

export class Gateway {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Never rejects. `signal` aborts when the server closes. */
  async handle(
    incoming: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    const service: Service = incoming.headers['x-amz-target']?.toString().startsWith(SQS_TARGET)
      ? 'sqs'
      : 's3';
    const requestId = randomUUID();
    response.sendDate = false;
    // Without a skew limit the clock is not meant to be the client's, so it must not learn from it:
    // the SDK would take every 4xx of a server in another time for a wrong clock, and retry it.
    if (Number.isFinite(this.#options.maxSkewMs)) {
      response.setHeader('date', new Date(this.#options.clock.now()).toUTCString());
    }
    response.setHeader(service === 's3' ? 'x-amz-request-id' : 'x-amzn-requestid', requestId);
    try {
      const request = parseRequest(
        incoming,
        bodyOf(incoming, response),
        AbortSignal.any([signal, gone.signal]),
      );
      const { name, run } = this.#resolve(service, request);
      const reply = await this.#withFaults(service, name, request, run);
      await this.#send(response, name, reply);
    } catch (error) {
      if (error === RESET || incoming.socket.destroyed || response.headersSent) {
        incoming.socket.destroy();
        return;
      }
      if (!(error instanceof WireError)) this.#options.onError(error);
      const known =
        error instanceof WireError
          ? error
          : new WireError(
              'InternalError',
              500,
              'We encountered an internal error. Please try again.',
            );
      sendError(response, service, requestId, known, incoming.method === 'HEAD');
    }
  }

  #resolve(
    service: Service,
    request: WireRequest,
  ): { name: string; run: () => Reply | Promise<Reply> } {
    const { store, sqs, credentials, maxSkewMs, clock } = this.#options;
    const payload = verifyRequest(request, { credentials, service, maxSkewMs, now: clock.now() });
    if (service === 's3') return resolveS3(store, request, payload);

    const name = (request.header('x-amz-target') ?? '').slice(SQS_TARGET.length);
    const handler = sqs.resolve(name);
    const run = async () => {
      const input = new Input(parseJson(await readText(request, payload, MAX_SQS_BYTES)));
      const output = await handler({
        input,
        origin: `http://${request.header('host')}`,
        signal: request.signal,
      });
      return {
        status: 200,
        headers: { 'content-type': 'application/x-amz-json-1.0' },
        body: JSON.stringify(output ?? {}),
      };
    };
    return { name, run };
  }

  async #withFaults(
    service: Service,
    name: string,
    request: WireRequest,
    run: () => Reply | Promise<Reply>,
  ): Promise<Reply> {
    const { faults } = this.#options;
    const conditionalWrite =
      !['GET', 'HEAD'].includes(request.method) &&
      (request.header('if-match') !== undefined || request.header('if-none-match') !== undefined);
    if (conditionalWrite && faults.strikes('conflict', name)) {
      throw new WireError(
        'ConditionalRequestConflict',
        409,
        'The conditional request cannot succeed due to a conflicting operation; retry it',
      );
    }
    if (faults.strikes('slowDown', name)) {
      throw new WireError(
        service === 's3' ? 'SlowDown' : 'ServiceUnavailable',
        503,
        'Please reduce your request rate.',
      );
    }
    if (faults.strikes('internalError', name)) throw injectedError();

    const reply = await run();
    const lost = faults.strikes('errorAfterCommit', name)
      ? injectedError()
      : faults.strikes('resetAfterCommit', name)
        ? RESET
        : undefined;
    if (lost !== undefined) {
      if (typeof reply.body === 'object') reply.body.release();
      throw lost;
    }
    return reply;
  }

  async #send(
    response: ServerResponse,
    name: string,
    { status, headers = {}, body }: Reply,
  ): Promise<void> {
    for (const [header, value] of Object.entries(headers)) response.setHeader(header, value);
    if (typeof body !== 'object') {
      // A HEAD reply announces the length of the body that GET would have.
      if (body !== undefined && !response.hasHeader('content-type'))
        response.setHeader('content-type', 'application/xml');
      if (!response.hasHeader('content-length') && status !== 204 && status !== 304)
        response.setHeader('content-length', Buffer.byteLength(body ?? ''));
      response.writeHead(status).end(body);
      return;
    }
    try {
      response.writeHead(status);
      response.flushHeaders();
      await pipeline(
        this.#disturbed(name, body.bytes, Number(headers['content-length'])),
        response,
      );
    } finally {
      body.release();
    }
  }

  /** The bytes of a body, with the faults that strike half-way. */
  async *#disturbed(
    name: string,
    bytes: AsyncIterable<Uint8Array>,
    length: number,
  ): AsyncGenerator<Uint8Array> {
    const { faults, clock } = this.#options;
    const cut = faults.strikes('cutBody', name);
    const slow = faults.strikes('slowBody', name);
    const middle = cut || slow ? Math.floor(length / 2) : Number.POSITIVE_INFINITY;
    let sent = 0;
    for await (const piece of bytes) {
      const head = piece.subarray(0, Math.max(middle - sent, 0));
      if (sent <= middle && sent + piece.length > middle) {
        yield head;
        if (cut) throw RESET;
        await new Promise<void>((resume) => clock.after(SLOW_BODY_MS, resume));
        yield piece.subarray(head.length);
      } else yield piece;
      sent += piece.length;
    }
    if (cut) throw RESET;
  }
}

/** Asks for the body (100-continue) only when somebody reads it. */
async function* bodyOf(
  incoming: IncomingMessage,
  response: ServerResponse,
): AsyncGenerator<Buffer> {
  if (incoming.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
  // The stream must outlive a reader that gives up, so that the refusal can still be sent.
  yield* incoming.iterator({ destroyOnReturn: false });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    throw sqsError('SerializationException', 'The request body is not JSON');
  }
}

function injectedError(): WireError {
  return new WireError('InternalError', 500, 'We encountered an internal error. Please try again.');
}

function sendError(
  response: ServerResponse,
  service: Service,
  requestId: string,
  error: WireError,
  head: boolean,
): void {
  const body =
    service === 's3'
      ? writeErrorXml(error.code, error.message, requestId)
      : JSON.stringify({ __type: `com.amazonaws.sqs#${error.code}`, message: error.message });
  for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
  response.setHeader(
    'content-type',
    service === 's3' ? 'application/xml' : 'application/x-amz-json-1.0',
  );
  response.setHeader('content-length', Buffer.byteLength(body));
  response.writeHead(error.status).end(head ? undefined : body);
}
