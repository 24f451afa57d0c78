/**
 * Ids whose order is the order of creation, newest first: the store lists keys in ascending order only, and what
 * people list is the newest. So an id begins with the time that is left until the year 10895.
 */
import type { Clock } from '@polyprompt/clock';

const END_OF_TIME = 2 ** 48 - 1;
const TIME_DIGITS = 12;
const RANDOM_BYTES = 8;
const ID_TAIL = /^[0-9a-z]{28}$/;

export type IdPrefix = 'file' | 'ftjob' | 'key';

export class Ids {
  readonly #clock: Clock;
  readonly #random: (bytes: number) => Uint8Array;
  #last = 0;

  constructor(clock: Clock, random: (bytes: number) => Uint8Array) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Sorts before every id that this object made earlier. */
  next(prefix: IdPrefix): string {
    this.#last = Math.max(this.#clock.now(), this.#last + 1);
    const time = (END_OF_TIME - this.#last).toString(16).padStart(TIME_DIGITS, '0');
    return `${prefix}-${time}${Buffer.from(this.#random(RANDOM_BYTES)).toString('hex')}`;
  }
}

/** When an id was made, in epoch milliseconds; undefined for what is none. */
export function timeOfId(prefix: IdPrefix, text: string): number | undefined {
  if (!isId(prefix, text)) return undefined;
  const left = Number.parseInt(text.slice(prefix.length + 1, prefix.length + 1 + TIME_DIGITS), 16);
  return Number.isNaN(left) ? undefined : END_OF_TIME - left;
}

/** Whether `text` has the form of an id; anything else is not worth a look at the store. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return text.startsWith(`${prefix}-`) && ID_TAIL.test(text.slice(prefix.length + 1));
}
