import { expect, it } from 'vitest';
import { Database } from './db.ts';

it('says what was wrong with a transaction that SQLite has rolled back by itself', () => {
  const db = new Database(null, 'normal');
  const pages = Number(db.get<{ page_count: number }>('PRAGMA page_count')?.page_count);
  // A disk without room for more.
  db.get(`PRAGMA max_page_count = ${pages + 10}`);
  const insert = (bytes: number) =>
    db.run("INSERT INTO chunks (body, seq, size, data) VALUES ('a', 0, 1, ?)", Buffer.alloc(bytes));
  expect(() => db.transaction(() => insert(1_000_000))).toThrow('database or disk is full');
  db.transaction(() => insert(1));
  expect(db.all('SELECT size FROM chunks')).toHaveLength(1);
  db.close();
});
