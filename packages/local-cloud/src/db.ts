/**
 * The one SQLite file. Everything that must be atomic happens in `transaction` (BEGIN IMMEDIATE): S3
 * conditions are judged and queue messages are claimed inside it, never before it alone.
 */
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

/** `full`: every acknowledged write survives power loss. `normal`: survives a killed process, but power loss may take the last writes. */
export type Durability = 'full' | 'normal';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- key is a BLOB so that comparison is S3's UTF-8 byte order and a prefix is a range.
  CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key BLOB NOT NULL, body TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    modified INTEGER NOT NULL, headers TEXT NOT NULL, checksum TEXT,
    PRIMARY KEY (bucket, key)) STRICT, WITHOUT ROWID;

  -- A body is a sequence of chunks: one for a plain put, one per part for a multipart upload. So completing
  -- an upload moves rows and copies no bytes. Small chunks are inline in data, large ones lie in a blob file.
  CREATE TABLE IF NOT EXISTS chunks (
    body TEXT NOT NULL, seq INTEGER NOT NULL, size INTEGER NOT NULL, data BLOB, file TEXT,
    PRIMARY KEY (body, seq)) STRICT;

  CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, created INTEGER NOT NULL,
    headers TEXT NOT NULL, algorithm TEXT) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    modified INTEGER NOT NULL, checksum TEXT,
    PRIMARY KEY (upload, number)) STRICT, WITHOUT ROWID;

  CREATE TABLE IF NOT EXISTS queues (
    name TEXT PRIMARY KEY, created INTEGER NOT NULL, modified INTEGER NOT NULL, attributes TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    attributes TEXT NOT NULL, sent INTEGER NOT NULL, visible INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0, first_received INTEGER, receipt TEXT, source TEXT) STRICT;
  CREATE INDEX IF NOT EXISTS messages_visible ON messages (queue, visible, seq);
  CREATE INDEX IF NOT EXISTS messages_sent ON messages (queue, sent);
`;

export type Row = Record<string, unknown>;

export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param dir folder of the database file, or null for one in memory. */
  constructor(dir: string | null, durability: Durability) {
    this.#db = new DatabaseSync(dir === null ? ':memory:' : join(dir, 'cloud.sqlite'), {
      timeout: 5000,
    });
    this.#db.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'};`,
    );
    this.#db.exec(SCHEMA);
  }

  get<T extends Row>(sql: string, ...values: SQLInputValue[]): T | undefined {
    return this.#prepare(sql).get(...values) as T | undefined;
  }

  all<T extends Row>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#prepare(sql).all(...values) as T[];
  }

  /** Runs a change and returns the number of rows it touched. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  /** Runs `work` with the write lock held; commits when it returns, rolls back when it throws. */
  transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk, among others, has ended it already, and a second end would hide why.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
