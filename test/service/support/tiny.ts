/** A backbone that computes in no time and data that it learns in a second. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { afterAll } from 'vitest';

export const BACKBONE_ID = 'tiny';
export const WORDS = ['rain', 'snow', 'bread', 'soup', 'the', 'is', 'a'];

/** JSON Lines of two classes that can be told apart. */
export const TINY_DATA = Array.from({ length: 48 }, (_, i) => {
  const text = `the ${WORDS[i % 4]} is a ${WORDS[i % 4]} ${'a '.repeat(i % 7)}${i}`;
  return JSON.stringify({ text, label: i % 4 < 2 ? 'weather' : 'food' });
}).join('\n');

/** A folder that is gone after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'polyprompt-service-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes the backbone into `folder`. @returns its own folder */
export function tinyBackbone(folder: string): string {
  const dir = join(folder, 'models', BACKBONE_ID);
  writeTinyBackbone(dir, { family: 'roberta', words: WORDS, hidden: 32, layers: 2, std: 0.2 });
  return dir;
}
