/** Server-sent events from an async iteration, with a sign of life while there is nothing to say. */

export interface StreamEvent {
  readonly id: string;
  readonly data: unknown;
}

/** Proxies close connections that are silent for a minute. */
const ALIVE_MS = 15_000;

/**
 * @param events ends the response when it ends; an error breaks the connection, so that the client comes
 * back with `Last-Event-ID`
 * @param left called when the client has left
 */
export function eventStream(events: AsyncIterable<StreamEvent>, left: () => void): Response {
  const encoder = new TextEncoder();
  const iterator = events[Symbol.asyncIterator]();
  let timer: NodeJS.Timeout | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const alive = () => controller.enqueue(encoder.encode(':\n\n'));
      // At once as well, so that the client sees the response begin.
      alive();
      timer = setInterval(alive, ALIVE_MS).unref();
    },
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (!done) {
          const text = `id: ${value.id}\ndata: ${JSON.stringify(value.data)}\n\n`;
          controller.enqueue(encoder.encode(text));
          return;
        }
        clearInterval(timer);
        controller.close();
      } catch (error) {
        clearInterval(timer);
        controller.error(error);
      }
    },
    async cancel() {
      clearInterval(timer);
      left();
    },
  });
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
  });
}
