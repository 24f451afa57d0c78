/** What deadlines, leases, signatures and measurements ask for the time. */
export interface Clock {
  /** Milliseconds since the epoch, or, of a steady clock, since any moment. */
  now(): number;
  /** Calls `fire` once after `ms`; the returned function cancels it. */
  after(ms: number, fire: () => void): () => void;
}

/** Node fires timers that are longer at once. */
const LONGEST_MS = 2 ** 31 - 1;

function after(ms: number, fire: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (left: number) => {
    timer =
      left > LONGEST_MS
        ? setTimeout(() => wait(left - LONGEST_MS), LONGEST_MS)
        : setTimeout(fire, left);
  };
  wait(ms);
  return () => clearTimeout(timer);
}

/** Milliseconds since the epoch; may be set back. */
export const systemClock: Clock = { now: () => Date.now(), after };

/** Never goes back; its numbers mean nothing outside of this process. */
export const steadyClock: Clock = { now: () => performance.now(), after };
