/**
 * Prompts in memory: least recently used go first when the bytes run out, one in use never goes,
 * and a prompt is loaded once however many wait for it. A failed load is not remembered.
 *
 * What is kept is made in two steps, so that a load that came too late leaves nothing behind:
 * `load` fetches, `place` takes possession in the same turn in which the entry comes to be.
 */
import { type Clock, steadyClock } from '@polyprompt/clock';
import { ServingError } from './errors.ts';

export interface CacheOptions<Loaded, Value extends { readonly bytes: number }> {
  /** Fetches what belongs to a key; undefined if there is no such thing. */
  readonly load: (key: string, signal: AbortSignal) => Promise<Loaded | undefined>;
  readonly place: (loaded: Loaded, key: string) => Value;
  /** Called once for each placed value, when it is neither kept nor used any longer. */
  readonly dispose: (value: Value) => void;
  readonly maxBytes: number;
  readonly loadMs: number;
  readonly clock?: Clock;
}

/** A value that stays until `release`. */
export interface Lease<Value> {
  readonly value: Value;
  /** Whether the cache was cleared meanwhile, so that others get a new value. */
  readonly stale: boolean;
  release(): void;
}

export interface CacheStats {
  readonly entries: number;
  readonly bytes: number;
  /** Bytes that are in use and cannot go. */
  readonly pinnedBytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly loads: number;
  readonly failures: number;
  readonly evictions: number;
}

interface Entry<Value> {
  readonly key: string;
  readonly value: Value;
  pins: number;
}

interface Waiter<Value> {
  readonly resolve: (lease: Lease<Value>) => void;
  readonly reject: (error: unknown) => void;
}

export class PromptCache<Loaded, Value extends { readonly bytes: number }> {
  readonly #options: CacheOptions<Loaded, Value>;
  readonly #clock: Clock;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #flights = new Map<string, Set<Waiter<Value>>>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #loads = 0;
  #failures = 0;
  #evictions = 0;

  constructor(options: CacheOptions<Loaded, Value>) {
    this.#options = options;
    this.#clock = options.clock ?? steadyClock;
  }

  /**
   * The value of a key, loaded if need be and pinned until released.
   * @throws ServingError `prompt_not_found`, `prompt_unavailable` with the loader's error as cause
   * (a ServingError of its own passes as it is); whatever `place` throws; the reason of `signal`
   */
  async acquire(key: string, signal?: AbortSignal): Promise<Lease<Value>> {
    signal?.throwIfAborted();
    const entry = this.#entries.get(key);
    if (entry) {
      this.#hits++;
      this.#entries.delete(key);
      this.#entries.set(key, entry);
      return this.#pin(entry);
    }
    this.#misses++;
    const waiters = this.#flights.get(key) ?? this.#start(key);
    const waiter = Promise.withResolvers<Lease<Value>>();
    waiters.add(waiter);
    const leave = () => {
      waiters.delete(waiter);
      waiter.reject(signal!.reason);
    };
    signal?.addEventListener('abort', leave, { once: true });
    return waiter.promise.finally(() => signal?.removeEventListener('abort', leave));
  }

  /** Forgets everything; what is in use lives on until released, and its leases are stale. */
  clear(): void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    this.#bytes = 0;
    for (const entry of entries) if (entry.pins === 0) this.#options.dispose(entry.value);
  }

  stats(): CacheStats {
    let pinnedBytes = 0;
    for (const { pins, value } of this.#entries.values()) if (pins > 0) pinnedBytes += value.bytes;
    return {
      entries: this.#entries.size,
      bytes: this.#bytes,
      pinnedBytes,
      hits: this.#hits,
      misses: this.#misses,
      loads: this.#loads,
      failures: this.#failures,
      evictions: this.#evictions,
    };
  }

  #start(key: string): Set<Waiter<Value>> {
    const waiters = new Set<Waiter<Value>>();
    this.#flights.set(key, waiters);
    this.#loads++;
    this.#fetch(key).then(
      (loaded) => this.#land(key, waiters, loaded),
      (error) => this.#fail(key, waiters, error),
    );
    return waiters;
  }

  async #fetch(key: string): Promise<Loaded> {
    const { load, loadMs } = this.#options;
    const controller = new AbortController();
    const late = Promise.withResolvers<never>();
    const stopTimer = this.#clock.after(loadMs, () => {
      const error = new Error(`prompt "${key}" did not load within ${loadMs} ms`);
      controller.abort(error);
      late.reject(error);
    });
    let loaded: Loaded | undefined;
    try {
      loaded = await Promise.race([load(key, controller.signal), late.promise]);
    } catch (cause) {
      if (cause instanceof ServingError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ServingError('prompt_unavailable', `prompt "${key}" cannot be loaded: ${why}`, {
        cause,
      });
    } finally {
      stopTimer();
    }
    if (loaded !== undefined) return loaded;
    throw new ServingError('prompt_not_found', `there is no prompt "${key}"`);
  }

  #land(key: string, waiters: Set<Waiter<Value>>, loaded: Loaded): void {
    let value: Value;
    try {
      value = this.#options.place(loaded, key);
    } catch (error) {
      this.#fail(key, waiters, error);
      return;
    }
    this.#flights.delete(key);
    const entry = { key, value, pins: 0 };
    this.#entries.set(key, entry);
    this.#bytes += value.bytes;
    for (const { resolve } of waiters) resolve(this.#pin(entry));
    this.#evict();
  }

  #fail(key: string, waiters: Set<Waiter<Value>>, error: unknown): void {
    this.#failures++;
    this.#flights.delete(key);
    for (const { reject } of waiters) reject(error);
  }

  #pin(entry: Entry<Value>): Lease<Value> {
    entry.pins++;
    let held = true;
    const isStale = () => this.#entries.get(entry.key) !== entry;
    return {
      value: entry.value,
      get stale() {
        return isStale();
      },
      release: () => {
        if (!held) return;
        held = false;
        entry.pins--;
        if (entry.pins > 0) return;
        if (isStale()) this.#options.dispose(entry.value);
        else this.#evict();
      },
    };
  }

  /** Prompts in use may exceed the limit; it holds again as soon as they are released. */
  #evict(): void {
    for (const entry of this.#entries.values()) {
      if (this.#bytes <= this.#options.maxBytes) return;
      if (entry.pins > 0) continue;
      this.#entries.delete(entry.key);
      this.#bytes -= entry.value.bytes;
      this.#evictions++;
      this.#options.dispose(entry.value);
    }
  }
}
