// What goes into the reading of a dataset and what comes out, for every task.

import type { OffsetUnit } from '@polyprompt/text';
import type { Format } from './format.ts';
import type { IssueSummary } from './issue-log.ts';
import type { DatasetLimits } from './limits.ts';

/** A file as bytes, so that the library, the command line and the service share one validator. */
export interface DatasetSource {
  /** File name; its ending tells the format. */
  readonly name: string;
  /** The content as it is stored, gzip included. */
  readonly bytes: Uint8Array;
}

/** What the file is for. Only training needs enough examples; predicting needs no labels at all. */
export type Purpose = 'train' | 'evaluate' | 'predict';

/** Name of a column or key, its index from 0 in a delimited file, or null for "not in this file". */
export type ColumnChoice = string | number | null;

export interface ParseOptions {
  /** Default `train`. */
  readonly purpose?: Purpose;
  /** Without it, from the file name, or else from the content. */
  readonly format?: Format;
  /**
   * Columns by role where the usual names do not fit. If all of them are indices, the file has no
   * header line unless `header` says so.
   */
  readonly columns?: Readonly<Record<string, ColumnChoice>>;
  readonly header?: boolean;
  /** Language of rows that name none. */
  readonly language?: string;
  /** What offsets in the data count. Default code points. */
  readonly offsetUnit?: OffsetUnit;
  /** What becomes of tags that cannot follow each other: mended with a warning (default), or refused. */
  readonly invalidTags?: 'fix' | 'refuse';
  readonly limits?: Partial<DatasetLimits>;
}

export interface DatasetReport<Example> extends IssueSummary {
  readonly name: string;
  /** `sha256:` and the hex digest of the bytes as they were given. */
  readonly hash: string;
  readonly bytes: number;
  /** Undefined where the content could not be read at all. */
  readonly format: Format | undefined;
  /** The column or key that was read for each role. */
  readonly columns: Readonly<Record<string, string | number>>;
  /** Whether there are no errors. */
  readonly valid: boolean;
  /** The rows without errors, in the order of the file. */
  readonly examples: readonly Example[];
  /** Examples per label, by code point. */
  readonly labels: Readonly<Record<string, number>>;
  /** Examples per language; rows without one are not counted. */
  readonly languages: Readonly<Record<string, number>>;
}

/** Counts as a plain object with sorted keys; safe for keys like `__proto__`. */
export function toRecord(counts: ReadonlyMap<string, number>): Record<string, number> {
  const keys = [...counts.keys()].sort(byCodePoint);
  return Object.fromEntries(keys.map((key) => [key, counts.get(key)!]));
}

/** Orders strings by code point, which is the byte order of UTF-8 (not that of UTF-16). */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Adds one to a count. */
export function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
