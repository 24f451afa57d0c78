import type { Page } from './page.ts';

export interface UsageCounts {
  readonly requests: number;
  readonly tokens: number;
  readonly trainingTokens: number;
}

export interface UsageRow extends UsageCounts {
  /** YYYY-MM-DD, UTC. */
  readonly day: string;
  readonly prompt: string;
}

export interface Usage {
  /** Adds to today's counts, in memory; written within `flushMs`. */
  record(tenant: string, prompt: string, counts: Partial<UsageCounts>): void;
  /** By day, then prompt, ascending. `from` and `to` are days, both included. */
  query(
    tenant: string,
    options: {
      from?: string | undefined;
      to?: string | undefined;
      prompt?: string | undefined;
      limit: number;
      after?: { day: string; prompt: string } | undefined;
    },
  ): Promise<Page<UsageRow>>;
  /** Writes what was recorded. */
  flush(): Promise<void>;
}
