/**
 * Documents in memory that are never older than a second: what another process changed is seen within that time,
 * what this one changed at once. A document in use is re-read in the background, at the price of a 304, before it
 * is too old, so no reader waits for the store except the first.
 */
import type { Clock } from '@polyprompt/clock';
import type { Document, Documents } from '@polyprompt/storage';

interface Entry<T> {
  document: Document<T>;
  /** When the request that last confirmed it was sent. */
  checked: number;
}

/** A reader asks for a background re-read from this age on. */
const REFRESH_MS = 300;
/** A reader waits for a re-read from this age on. */
const MAX_AGE_MS = 1000;
const CAPACITY = 10_000;

export interface FreshCacheOptions {
  readonly capacity?: number;
  /**
   * Whether documents in use are re-read in the background. Not where the process is frozen between requests: a
   * re-read that is under way then would be waited for by the next reader, on a connection that has died meanwhile.
   * @default true
   */
  readonly readAhead?: boolean;
}

export class FreshCache<T> {
  readonly #documents: Documents<T>;
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #refreshMs: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry<T>>();
  readonly #loads = new Map<string, Promise<T | undefined>>();

  constructor(documents: Documents<T>, clock: Clock, options: FreshCacheOptions = {}) {
    this.#documents = documents;
    this.#clock = clock;
    this.#capacity = options.capacity ?? CAPACITY;
    this.#refreshMs = options.readAhead === false ? MAX_AGE_MS : REFRESH_MS;
  }

  /** @returns undefined when there is no such document. @throws StorageError when it cannot be read in time. */
  async read(key: string): Promise<T | undefined> {
    const entry = this.#entries.get(key);
    if (!entry) return this.#load(key);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const age = this.#clock.now() - entry.checked;
    // A clock that was set back must not keep an entry alive.
    if (age < 0 || age >= MAX_AGE_MS) return this.#load(key);
    // A failure shows when the entry is too old, if the store is still down then.
    if (age >= this.#refreshMs) this.#load(key).catch(() => undefined);
    return entry.document.value;
  }

  /** Takes in what was just written or read. */
  put(document: Document<T>, checked: number = this.#clock.now()): void {
    const known = this.#entries.get(document.key);
    // A read that was under way during a write comes back with the older revision.
    if (known && known.document.revision > document.revision) return;
    this.#entries.delete(document.key);
    this.#entries.set(document.key, { document, checked });
    if (this.#entries.size > this.#capacity) {
      const [oldest] = this.#entries.keys();
      this.#entries.delete(oldest!);
    }
  }

  #load(key: string): Promise<T | undefined> {
    const underWay = this.#loads.get(key);
    if (underWay) return underWay;
    const load = this.#read(key).finally(() => this.#loads.delete(key));
    this.#loads.set(key, load);
    return load;
  }

  async #read(key: string): Promise<T | undefined> {
    const checked = this.#clock.now();
    const known = this.#entries.get(key);
    const document = await (known
      ? this.#documents.refresh(known.document)
      : this.#documents.read(key));
    if (!document) {
      this.#entries.delete(key);
      return undefined;
    }
    this.put(document, checked);
    return this.#entries.get(key)?.document.value;
  }
}
