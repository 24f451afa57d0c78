import type { Clock } from './clock.ts';

export interface ManualClock extends Clock {
  /** Moves time forward and fires every timer that comes due, in order of its due time. */
  advance(ms: number): void;
  /** Timers that wait; lets a test know that a long poll has settled in. */
  readonly pending: number;
}

/** A clock that moves only when told: tests of timeouts without sleeping. */
export function manualClock(start: number = Date.now()): ManualClock {
  let now = start;
  const timers = new Set<{ due: number; fire: () => void }>();
  return {
    now: () => now,
    after(ms, fire) {
      const timer = { due: now + ms, fire };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const target = now + ms;
      for (;;) {
        const due = [...timers].filter((timer) => timer.due <= target);
        const next = due.sort((a, b) => a.due - b.due)[0];
        if (!next) break;
        timers.delete(next);
        now = Math.max(now, next.due);
        next.fire();
      }
      now = target;
    },
    get pending() {
      return timers.size;
    },
  };
}
