/**
 * Leases: at most one holder at a time, on one document each.
 *
 * Every acquisition gets a higher fence number than any before it, so a resource can refuse the late writes of
 * a holder that lost its lease without noticing (it stood still, or its network did). Time: a holder stops
 * believing `maxSkewMs` before its lease expires, a rival takes over only `maxSkewMs` after, so clocks may
 * differ by twice that. A released lease keeps its document, and with it the fence.
 */

import type { Clock } from '@polyprompt/clock';
import { z } from 'zod';
import type { Context } from './context.ts';
import { Documents } from './documents.ts';
import { StorageError } from './errors.ts';

const LeaseState = z.object({
  fence: z.int().positive(),
  /** Id of the acquisition that holds it, or null. */
  holder: z.string().nullable(),
  /** Epoch milliseconds, by the holder's clock. */
  expires: z.number(),
});
type LeaseState = z.infer<typeof LeaseState>;

export interface LeaseOptions {
  /** How long a holder that falls silent keeps others out. @default 30,000 ms */
  readonly ttlMs?: number;
  /** Largest clock error to tolerate, on each side. @default 2,000 ms */
  readonly maxSkewMs?: number;
  /** Renew by itself every third of the time to live. @default true */
  readonly heartbeat?: boolean;
}

const TTL_MS = 30_000;
const MAX_SKEW_MS = 2000;

export class Leases {
  readonly #documents: Documents<LeaseState>;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
    this.#documents = new Documents(context, LeaseState);
  }

  /**
   * Takes the lease at `key` if it is free, released, or expired.
   * @returns undefined while somebody else holds it.
   */
  async acquire(
    key: string,
    { ttlMs = TTL_MS, maxSkewMs = MAX_SKEW_MS, heartbeat = true }: LeaseOptions = {},
  ): Promise<Lease | undefined> {
    if (!(ttlMs > 2 * maxSkewMs))
      throw new StorageError(
        'bad_option',
        `ttlMs is ${ttlMs}; it must be more than twice maxSkewMs (${maxSkewMs})`,
      );
    const { clock, uniqueId } = this.#context;
    const holder = uniqueId();
    const taken = Symbol('held by another');
    try {
      const { value } = await this.#documents.upsert(key, (state) => {
        if (state?.holder && clock.now() < state.expires + maxSkewMs) throw taken;
        return { fence: (state?.fence ?? 0) + 1, holder, expires: clock.now() + ttlMs };
      });
      return new Lease(this.#documents, clock, key, { state: value, ttlMs, maxSkewMs, heartbeat });
    } catch (error) {
      if (error === taken) return undefined;
      throw error;
    }
  }
}

/** A lease that was acquired. Call `release` when done; a forgotten one ends with its process and time to live. */
export class Lease {
  readonly key: string;
  /** Higher than in every earlier acquisition of this key. */
  readonly fence: number;
  readonly #documents: Documents<LeaseState>;
  readonly #clock: Clock;
  readonly #holder: string | null;
  readonly #ttlMs: number;
  readonly #maxSkewMs: number;
  readonly #lost = new AbortController();
  #expires: number;
  #released = false;
  #timers: (() => void)[] = [];

  /** Made by `Leases.acquire`. */
  constructor(
    documents: Documents<LeaseState>,
    clock: Clock,
    key: string,
    { state, ttlMs, maxSkewMs, heartbeat }: Required<LeaseOptions> & { state: LeaseState },
  ) {
    this.key = key;
    this.fence = state.fence;
    this.#documents = documents;
    this.#clock = clock;
    this.#holder = state.holder;
    this.#ttlMs = ttlMs;
    this.#maxSkewMs = maxSkewMs;
    this.#expires = state.expires;
    this.#watchExpiry();
    if (heartbeat) this.#beat();
  }

  /** Aborted, with a StorageError `lease_lost` as reason, as soon as the lease is known to be lost. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether the holder may still act. */
  get held(): boolean {
    return (
      !this.#released &&
      !this.#lost.signal.aborted &&
      this.#clock.now() < this.#expires - this.#maxSkewMs
    );
  }

  /** @throws StorageError `lease_lost` when the lease is not held any more. */
  assertHeld(): void {
    if (this.held) return;
    if (!this.#released) this.#lose();
    throw this.#lostError();
  }

  /** Extends the lease by its time to live from now. @throws StorageError `lease_lost`, `unavailable`. */
  async renew(): Promise<void> {
    this.assertHeld();
    try {
      const { value } = await this.#documents.update(this.key, (state) => {
        if (state.holder !== this.#holder) throw this.#lostError();
        return { ...state, expires: this.#clock.now() + this.#ttlMs };
      });
      this.#expires = value.expires;
    } catch (error) {
      if (error instanceof StorageError && ['lease_lost', 'not_found'].includes(error.code))
        this.#lose();
      throw error;
    }
  }

  /** Gives the lease back, so that the next one need not wait for it to expire. Safe to call when it is lost. */
  async release(): Promise<void> {
    this.#released = true;
    this.#stopTimers();
    try {
      await this.#documents.update(this.key, (state) =>
        state.holder === this.#holder ? { ...state, holder: null } : undefined,
      );
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'not_found') throw error;
    }
  }

  #beat(): void {
    this.#after(this.#ttlMs / 3, async () => {
      // A failed renewal is tried again with the next beat; expiry ends the attempts.
      await this.renew().catch(() => undefined);
      if (this.held) this.#beat();
    });
  }

  #watchExpiry(): void {
    this.#after(Math.max(this.#expires - this.#maxSkewMs - this.#clock.now(), 0), () => {
      if (this.held) this.#watchExpiry();
      else this.#lose();
    });
  }

  #after(ms: number, act: () => void): void {
    if (this.#released || this.#lost.signal.aborted) return;
    const cancel = this.#clock.after(ms, () => {
      this.#timers = this.#timers.filter((timer) => timer !== cancel);
      act();
    });
    this.#timers.push(cancel);
  }

  #lose(): void {
    this.#stopTimers();
    this.#lost.abort(this.#lostError());
  }

  #stopTimers(): void {
    for (const cancel of this.#timers.splice(0)) cancel();
  }

  #lostError(): StorageError {
    return new StorageError(
      'lease_lost',
      `the lease ${this.key} (fence ${this.fence}) is no longer held`,
      { key: this.key },
    );
  }
}
