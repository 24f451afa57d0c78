/** What deadlines, leases, signatures and measurements ask for the time. */
export interface Clock {
  /** Milliseconds since the epoch, or, of a steady clock, since any moment. */
  now(): number;
  /** Calls `fire` once after `ms`; the returned function cancels it. */
  after(ms: number, fire: () => void): () => void;
}

function after(ms: number, fire: () => void): () => void {
  const timer = setTimeout(fire, ms);
  return () => clearTimeout(timer);
}

/** Milliseconds since the epoch; may be set back. */
export const systemClock: Clock = { now: () => Date.now(), after };

/** Never goes back; its numbers mean nothing outside of this process. */
export const steadyClock: Clock = { now: () => performance.now(), after };
