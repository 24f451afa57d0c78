/**
 * Usage counters. Each process adds up in memory and writes to a document of its own per tenant and day, so no
 * document is contended; a query adds the documents up. What was not written yet, the counts of at most
 * one flush time, is lost when a process is killed.
 */
import { randomUUID } from 'node:crypto';
import type { Documents } from '@polyprompt/storage';
import { z } from 'zod';
import type { Context } from './context.ts';
import { RegistryError } from './errors.ts';
import { usageFolder, usageKey } from './layout.ts';
import { loadPage, type Page } from './page.ts';

const Count = z.int().nonnegative();
const Counts = z.object({ requests: Count, tokens: Count, trainingTokens: Count });
export type UsageCounts = Readonly<z.infer<typeof Counts>>;

/** Counts by prompt. */
const UsageDocument = z.record(z.string(), Counts);
type UsageDocument = z.infer<typeof UsageDocument>;

export interface UsageRow extends UsageCounts {
  /** YYYY-MM-DD, UTC. */
  readonly day: string;
  readonly prompt: string;
}

export interface UsageQuery {
  /** First day. */
  readonly from?: string | undefined;
  /** Last day, included. */
  readonly to?: string | undefined;
  readonly prompt?: string | undefined;
  readonly limit: number;
  /** The last row of the page before. */
  readonly after?: Pick<UsageRow, 'day' | 'prompt'> | undefined;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

export class Usage {
  readonly #context: Context;
  readonly #documents: Documents<UsageDocument>;
  readonly #flushMs: number;
  readonly #replica = randomUUID();
  /** Not yet written, by document key. */
  #pending = new Map<string, Map<string, UsageCounts>>();
  #cancelFlush: (() => void) | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(context: Context, flushMs: number) {
    this.#flushMs = flushMs;
    this.#context = context;
    this.#documents = context.storage.documents(UsageDocument);
  }

  /** Adds to today's counts (UTC) of a prompt, in memory; they are written after the flush time. */
  record(tenant: string, prompt: string, counts: Partial<UsageCounts>): void {
    const day = new Date(this.#context.clock.now()).toISOString().slice(0, 10);
    this.#add(usageKey(tenant, day, this.#replica), prompt, {
      requests: 0,
      tokens: 0,
      trainingTokens: 0,
      ...counts,
    });
    this.#cancelFlush ??= this.#context.clock.after(this.#flushMs, () => {
      this.#cancelFlush = undefined;
      // What could not be written is pending again and goes with the next flush.
      this.flush().catch(() => undefined);
    });
  }

  /** Writes what was recorded. @throws StorageError; nothing is lost then */
  flush(): Promise<void> {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.#flushing = this.#flushing.catch(() => undefined).then(() => this.#write());
    return this.#flushing;
  }

  /** By day, then prompt, both ascending. @throws RegistryError `bad_value` for a day that is none */
  async query(
    tenant: string,
    { from = '0000-00-00', to = '9999-99-99', prompt, limit, after }: UsageQuery,
  ): Promise<Page<UsageRow>> {
    for (const day of [from, to]) {
      if (!DAY.test(day))
        throw new RegistryError('bad_value', `${JSON.stringify(day)} is no day: write YYYY-MM-DD`);
    }
    await this.flush();
    const start = after && after.day > from ? after.day : from;
    const rows: UsageRow[] = [];
    for await (const [day, keys] of this.#days(tenant, start)) {
      if (day > to || rows.length > limit) break;
      const isBehind = (row: UsageRow) =>
        !after || row.day > after.day || row.prompt > after.prompt;
      const all = await this.#day(day, keys);
      rows.push(...all.filter((row) => isBehind(row) && (prompt ?? row.prompt) === row.prompt));
    }
    return { items: rows.slice(0, limit), hasMore: rows.length > limit };
  }

  /** Stops the timer and writes what is left. */
  close(): Promise<void> {
    return this.flush();
  }

  #add(key: string, prompt: string, counts: UsageCounts): void {
    const document = this.#pending.get(key) ?? new Map<string, UsageCounts>();
    this.#pending.set(key, document);
    document.set(prompt, sum(document.get(prompt), counts));
  }

  async #write(): Promise<void> {
    const pending = this.#pending;
    this.#pending = new Map();
    const failures: unknown[] = [];
    for (const [key, prompts] of pending) {
      try {
        await this.#documents.upsert(key, (stored = {}) => {
          const merged = { ...stored };
          for (const [prompt, counts] of prompts) merged[prompt] = sum(merged[prompt], counts);
          return merged;
        });
      } catch (error) {
        failures.push(error);
        for (const [prompt, counts] of prompts) this.#add(key, prompt, counts);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** The keys of each day that has any, from `start` on. */
  async *#days(tenant: string, start: string): AsyncGenerator<[day: string, keys: string[]]> {
    const folder = usageFolder(tenant);
    let day = '';
    const keys: string[] = [];
    for await (const { key } of this.#context.storage.list(folder, {
      after: `${folder}${start}`,
    })) {
      const next = key.slice(folder.length, key.indexOf('/', folder.length));
      if (next !== day && keys.length > 0) yield [day, keys.splice(0)];
      day = next;
      keys.push(key);
    }
    if (keys.length > 0) yield [day, keys];
  }

  async #day(day: string, keys: readonly string[]): Promise<UsageRow[]> {
    const total = new Map<string, UsageCounts>();
    const { items } = await loadPage(keys, keys.length, (key) => this.#documents.read(key));
    for (const document of items) {
      for (const [prompt, counts] of Object.entries(document.value))
        total.set(prompt, sum(total.get(prompt), counts));
    }
    return [...total]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([prompt, counts]) => ({ day, prompt, ...counts }));
  }
}

function sum(a: UsageCounts | undefined, b: UsageCounts): UsageCounts {
  return {
    requests: (a?.requests ?? 0) + b.requests,
    tokens: (a?.tokens ?? 0) + b.tokens,
    trainingTokens: (a?.trainingTokens ?? 0) + b.trainingTokens,
  };
}
