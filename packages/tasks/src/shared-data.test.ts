import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkSplits } from './text-classification/check-splits.ts';
import { textClassification } from './text-classification/index.ts';

const DATA = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));

describe.skipIf(!existsSync(DATA))('published data sets (skipped without ../shared/data)', () => {
  const parse = (name: string, options = {}) =>
    textClassification.parse({ name, bytes: readFileSync(DATA + name) }, options);

  it('SIB-200 in every language, by column "category"', () => {
    for (const language of 'ar de el en es fi fr hi id ja pl pt ru sw th tr zh'.split(' ')) {
      const [train, dev, test] = ['train', 'dev', 'test'].map((split) =>
        parse(`sib200/${language}/${split}.tsv`, { language, purpose: 'evaluate' }),
      );
      expect([train, dev, test].map((report) => report!.examples.length)).toEqual([701, 99, 204]);
      expect(train).toMatchObject({ valid: true, columns: { text: 'text', label: 'category' } });
      expect(train!.languages).toEqual({ [language]: 701 });
      expect(Object.keys(train!.labels)).toHaveLength(7);
      expect(checkSplits(train!.examples, test!.examples).errors).toBe(0);
    }
  });

  it('pairs: PAWS-X and gzipped SNLI', () => {
    expect(parse('pawsx/en.dev.tsv')).toMatchObject({
      valid: true,
      columns: { text: 'sentence1', textPair: 'sentence2', label: 'label' },
      labels: { 0: 1137, 1: 863 },
    });
    const snli = parse('snli/en.dev.tsv.gz');
    expect(snli).toMatchObject({
      valid: true,
      columns: { text: 'premise', textPair: 'hypothesis' },
    });
    expect(snli.examples).toHaveLength(9842);
  });

  it('NollySenti by a column name of its own, intents of xSID from JSONL', () => {
    const columns = { text: 'yo_review' };
    expect(parse('nollysenti/yo/train.tsv').issues).toMatchObject([
      { code: 'missing_column', columns: ['yo_review', 'sentiment'] },
    ]);
    expect(parse('nollysenti/yo/train.tsv', { columns }).examples).toHaveLength(900);
    expect(parse('xsid/en.valid.jsonl').examples).toHaveLength(300);
  });
});
