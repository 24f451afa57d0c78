/** Data files from disk. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { DatasetSource } from '@polyprompt/tasks';
import { TuningError } from './errors.ts';

/** @throws TuningError `bad_data` when the file cannot be read */
export function readSource(path: string): DatasetSource {
  try {
    return { name: basename(path), bytes: readFileSync(path) };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    throw new TuningError('bad_data', `${path} ${why}`, { cause });
  }
}
