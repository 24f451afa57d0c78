import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findData, MANIFEST } from './data.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'polyprompt-data-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, text = 'x') => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};

describe('findData', () => {
  it('finds tasks by the names of their files', () => {
    for (const name of ['en.train.tsv', 'en.dev.tsv', 'en.test.tsv', 'de.test.tsv', 'notes.txt']) {
      put(`pawsx/${name}`);
    }
    put('xnli/en.train.tsv');
    const found = findData(folder, ['xnli', 'pawsx']);
    expect([...found.keys()]).toEqual(['pawsx']);
    expect(found.get('pawsx')).toEqual({
      train: join(folder, 'pawsx/en.train.tsv'),
      dev: join(folder, 'pawsx/en.dev.tsv'),
      test: { de: join(folder, 'pawsx/de.test.tsv'), en: join(folder, 'pawsx/en.test.tsv') },
    });
  });

  it('lets a manifest name files, and tasks of its own', () => {
    put('a.jsonl');
    put('b.jsonl');
    const extra = { task: 'text-classification', title: 'Topics', metric: 'accuracy' };
    put(MANIFEST, JSON.stringify({ topics: { train: 'a.jsonl', test: { sw: 'b.jsonl' }, extra } }));
    const found = findData(folder, ['pawsx']);
    expect(found.get('topics')).toMatchObject({ test: { sw: join(folder, 'b.jsonl') }, extra });
  });

  it.each([
    ['nothing of use', {}, /none of the tasks pawsx/],
    ['a manifest that is no JSON', { [MANIFEST]: '{' }, /not JSON/],
    ['a manifest without tests', { [MANIFEST]: '{"pawsx":{"train":"a"}}' }, /pawsx\.test/],
    [
      'a manifest that names a missing file',
      { [MANIFEST]: '{"pawsx":{"train":"a","test":{"de":"b"}}}' },
      /does not exist/,
    ],
  ])('refuses %s', (_, files, message) => {
    for (const [name, text] of Object.entries(files)) put(name, text as string);
    expect(() => findData(folder, ['pawsx'])).toThrow(message);
  });
});
