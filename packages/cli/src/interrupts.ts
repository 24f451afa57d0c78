/** Ctrl-C: the first one asks to stop in good order, the next one kills. */

// Terminal and npm both pass Ctrl-C on, so that one key press may arrive twice.
const SAME_PRESS_MS = 500;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Interrupts {
  readonly signal: AbortSignal;
  /** Gives the signals back to the system. */
  readonly release: () => void;
}

/** @param onFirst called once, when stopping begins */
export function catchInterrupts(
  onFirst: () => void,
  { process: target = process, now = Date.now } = {},
): Interrupts {
  const controller = new AbortController();
  let first = 0;
  const release = () => {
    for (const signal of SIGNALS) target.off(signal, handle);
  };
  function handle(signal: NodeJS.Signals): void {
    if (!controller.signal.aborted) {
      first = now();
      controller.abort();
      onFirst();
    } else if (now() - first > SAME_PRESS_MS) {
      release();
      // Without a handler the signal ends the process at once, also in the middle of a computation.
      target.kill(target.pid, signal);
    }
  }
  for (const signal of SIGNALS) target.on(signal, handle);
  return { signal: controller.signal, release };
}
