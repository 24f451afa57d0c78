/**
 * Answers that are streamed to the client while they come to be. `hono/aws-lambda` has such a handler; here what
 * feeds the body also hears of a client that has left, and an answer ends only when what it leaves behind is stored.
 */
import { Readable, type Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import { inInvocation, type LambdaContext } from './invocation.ts';
import { type FunctionUrlEvent, requestOf } from './request.ts';
import type { LambdaService } from './service.ts';

type StreamingHandler = (
  event: FunctionUrlEvent,
  stream: Writable,
  context: LambdaContext,
) => Promise<void>;

/** What Lambda's Node runtime defines. */
interface AwsLambda {
  streamifyResponse(handler: StreamingHandler): unknown;
  readonly HttpResponseStream: {
    from(stream: Writable, metadata: object): Writable;
  };
}

/** @returns what Lambda calls; undefined outside of it, where nothing could */
export function streamingHandler(service: Promise<LambdaService>, logger: Logger): unknown {
  const { awslambda } = globalThis as { awslambda?: AwsLambda };
  return awslambda?.streamifyResponse(async (event, raw, context) => {
    const { app, settle } = await service;
    const left = new AbortController();
    raw.once('close', () => left.abort());
    await inInvocation(context, left.signal, async (signal) => {
      const response = await app.fetch(requestOf(event, signal));
      const stream = awslambda.HttpResponseStream.from(raw, metadataOf(response));
      // Without a write nothing is sent, not even the status.
      stream.write('');
      try {
        if (response.body) {
          await pipeline(Readable.fromWeb(response.body), stream, { end: false });
        }
      } catch (err) {
        // The status has gone out, so breaking off is all that tells the client.
        if (!signal.aborted) logger.error({ err }, 'an answer broke off');
        stream.destroy();
      }
      await settle();
      stream.end();
      await finished(stream).catch(() => undefined);
    });
  });
}

function metadataOf({ status, headers }: Response): object {
  const { 'set-cookie': _, ...plain } = Object.fromEntries(headers);
  return { statusCode: status, headers: plain, cookies: headers.getSetCookie() };
}
