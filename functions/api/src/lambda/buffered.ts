/** Answers sent as a whole, for hosts that do not stream: BUFFERED function URLs, API Gateway, load balancers. */
import type { Hono } from 'hono';
import { handle, type LambdaEvent } from 'hono/aws-lambda';
import { inInvocation, type LambdaContext } from './invocation.ts';
import type { LambdaService } from './service.ts';

/** Whatever may hold other bytes than text, such as the prompt archives. */
const isBinary = (type: string) => !/^(text\/|application\/(json|.*\+json))/.test(type);

export function bufferedHandler(service: Promise<LambdaService>) {
  return async (event: LambdaEvent, context: LambdaContext) => {
    const { app, settle } = await service;
    // Nobody tells a function that the client has left, if its answer is not streamed.
    const here = new AbortController().signal;
    return inInvocation(context, here, async (signal) => {
      const bounded = { fetch: (request: Request) => app.fetch(new Request(request, { signal })) };
      const answer = await handle(bounded as Hono, { isContentTypeBinary: isBinary })(event);
      await settle();
      return answer;
    });
  };
}
