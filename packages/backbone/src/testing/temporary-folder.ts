import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new empty folder that is removed when the running test ends. */
export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'polyprompt-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
