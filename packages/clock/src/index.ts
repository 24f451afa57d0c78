/** @module Time and timers as an argument. See README.md. */
export { type Clock, steadyClock, systemClock } from './clock.ts';
export { type ManualClock, manualClock } from './manual-clock.ts';
