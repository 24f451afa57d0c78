/**
 * One server per data folder. The lock is an exclusive transaction on a small SQLite file: the operating
 * system drops it with the process, so kill -9 leaves no stale lock. `server.json` beside it only says who
 * holds it.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LocalCloudError } from './errors.ts';

export interface DirLock {
  /** Publishes the endpoint for people and for the message of a refused second start. */
  announce(endpoint: string): void;
  release(): void;
}

/** @throws LocalCloudError `dir_in_use`, naming the other server's pid and endpoint. */
export function lockDir(dir: string): DirLock {
  const holderPath = join(dir, 'server.json');
  const db = new DatabaseSync(join(dir, 'lock.sqlite'), { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode !== 5 /* SQLITE_BUSY */) throw error;
    throw new LocalCloudError(
      'dir_in_use',
      `${dir} is served by another process (${describeHolder(holderPath)}); use its endpoint, stop it, or choose another dir`,
    );
  }
  rmSync(holderPath, { force: true });
  return {
    announce(endpoint) {
      writeFileSync(holderPath, `${JSON.stringify({ pid: process.pid, endpoint })}\n`);
    },
    release() {
      rmSync(holderPath, { force: true });
      db.exec('ROLLBACK');
      db.close();
    },
  };
}

function describeHolder(path: string): string {
  try {
    const { pid, endpoint } = JSON.parse(readFileSync(path, 'utf8')) as {
      pid: number;
      endpoint: string;
    };
    return `pid ${pid} at ${endpoint}`;
  } catch {
    return 'still starting';
  }
}
