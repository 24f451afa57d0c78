/**
 * Fault knobs: everything that S3 and SQS may legally do to a client and that a perfect single node hides.
 * Each fault has a rate (probability per call, drawn from a seeded generator) and can also be scripted for
 * the next matching call. Nothing strikes unless it was asked for.
 */
import { LocalCloudError } from './errors.ts';

export const FAULTS = [
  /** 409 ConditionalRequestConflict on a conditional write, nothing stored. */
  'conflict',
  /** 503 SlowDown (S3) or ServiceUnavailable (SQS), nothing done. */
  'slowDown',
  /** 500 InternalError, nothing done. */
  'internalError',
  /** 500 InternalError although the call took effect. */
  'errorAfterCommit',
  /** Connection reset although the call took effect. */
  'resetAfterCommit',
  /** GetObject: the connection breaks in the middle of the body. */
  'cutBody',
  /** GetObject: the body pauses half-way for `SLOW_BODY_MS` of the server's clock. */
  'slowBody',
  /** ReceiveMessage: a received message will be delivered once more, even if it is deleted. */
  'duplicateDelivery',
  /** ReceiveMessage: a received message is visible again at once. */
  'earlyRedelivery',
  /** ReceiveMessage: messages come in random order. */
  'reorder',
  /** ReceiveMessage: fewer messages than asked for and available, perhaps none. */
  'shortReceive',
] as const;

export type Fault = (typeof FAULTS)[number];
export type FaultRates = Partial<Record<Fault, number>>;

/** How long `slowBody` pauses, in milliseconds. */
export const SLOW_BODY_MS = 250;

interface ScriptedFault {
  readonly fault: Fault;
  readonly operation: string | undefined;
  skip: number;
  times: number;
}

export class Faults {
  readonly #counts = new Map<Fault, number>();
  #rates: FaultRates = {};
  #script: ScriptedFault[] = [];
  #state: number;

  constructor({ seed = 1, rates = {} }: { seed?: number; rates?: FaultRates } = {}) {
    this.#state = seed >>> 0;
    this.set(rates);
  }

  /** Sets the probability (0 to 1) of each named fault per call; the others keep theirs. */
  set(rates: FaultRates): void {
    for (const [fault, rate] of Object.entries(rates)) {
      if (!FAULTS.includes(fault as Fault) || !(rate >= 0 && rate <= 1)) {
        throw new LocalCloudError(
          'bad_option',
          `fault rate ${fault}=${rate} is not valid: rates are 0 to 1 for ${FAULTS.join(', ')}`,
        );
      }
    }
    this.#rates = { ...this.#rates, ...rates };
  }

  /**
   * Makes `fault` strike the next `times` calls after letting `skip` pass; only calls of `operation`
   * ('PutObject', 'ReceiveMessage', ...) count when it is given.
   */
  script(
    fault: Fault,
    { operation, skip = 0, times = 1 }: { operation?: string; skip?: number; times?: number } = {},
  ): void {
    this.#script.push({ fault, operation, skip, times });
  }

  /** Back to a perfect service. Counts are kept. */
  clear(): void {
    this.#rates = {};
    this.#script = [];
  }

  /** How often each fault has struck so far. */
  get counts(): Readonly<FaultRates> {
    return Object.fromEntries(this.#counts);
  }

  /** Decides whether `fault` strikes this call of `operation`. */
  strikes(fault: Fault, operation: string): boolean {
    const struck = this.#scripted(fault, operation) || this.#drawn(fault);
    if (struck) this.#counts.set(fault, (this.#counts.get(fault) ?? 0) + 1);
    return struck;
  }

  /** Uniform in [0, 1), from the seeded generator (mulberry32). */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  #drawn(fault: Fault): boolean {
    const rate = this.#rates[fault] ?? 0;
    return rate > 0 && this.random() < rate;
  }

  #scripted(fault: Fault, operation: string): boolean {
    const next = this.#script.find(
      (entry) => entry.fault === fault && (entry.operation ?? operation) === operation,
    );
    if (!next) return false;
    if (next.skip > 0) {
      next.skip--;
      return false;
    }
    if (--next.times <= 0) this.#script.splice(this.#script.indexOf(next), 1);
    return true;
  }
}
