/** A request body that stops in its middle, for what a request may do to others while it is being sent. */
export interface PausedBody {
  readonly stream: ReadableStream<Uint8Array>;
  /** Resolves when whoever reads the stream has its first part and wants more. */
  readonly taken: Promise<void>;
  /** Lets the rest through. */
  readonly goOn: () => void;
}

/** @param at how many bytes come before the pause */
export function pausedBody(bytes: Uint8Array, at: number): PausedBody {
  const taken = Promise.withResolvers<void>();
  const rest = Promise.withResolvers<void>();
  let pulls = 0;
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (pulls++ === 0) return controller.enqueue(bytes.subarray(0, at));
      taken.resolve();
      await rest.promise;
      controller.enqueue(bytes.subarray(at));
      controller.close();
    },
  });
  return { stream, taken: taken.promise, goOn: rest.resolve };
}
