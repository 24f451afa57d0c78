/** A tiny backbone and data that it learns in a second: what the tests of the tuner run on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBackbone } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { afterAll } from 'vitest';

const WORDS = ['rain', 'snow', 'bread', 'soup', 'the', 'is', 'a'];

/** The id of the backbone that `testBackbone` makes. */
export const BACKBONE_ID = 'tiny';

/** Makes a folder of models with one backbone, removed after the tests of the file. */
export function testBackbone() {
  const models = mkdtempSync(join(tmpdir(), 'polyprompt-tuner-'));
  afterAll(() => rmSync(models, { recursive: true, force: true }));
  const folder = join(models, BACKBONE_ID);
  writeTinyBackbone(folder, { family: 'roberta', words: WORDS, hidden: 16, layers: 2, std: 0.2 });
  return { models, folder, backbone: openBackbone(folder) };
}

/** JSON Lines of two classes that can be told apart. */
export function dataLines(count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      text: `the ${WORDS[i % 4]} ${'a '.repeat(i % 5)}is ${WORDS[i % 4]} ${i}`,
      label: i % 4 < 2 ? 'weather' : 'food',
    }),
  );
}
