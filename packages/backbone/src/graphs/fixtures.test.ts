/** The graphs against outputs, gradients and training runs of the original implementations. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkFixtures } from '../testing/fixtures.ts';

const shared = join(import.meta.dirname, '../../../../../shared/fixtures/backbones');

describe.skipIf(!existsSync(shared))('reference cases (needs ../shared/fixtures)', () => {
  for (const family of ['xlm-roberta', 'bert', 'xglm']) {
    it(`agrees with ${family} in every case`, async () => {
      const results = await checkFixtures(join(shared, family));
      expect(results.length).toBeGreaterThan(90);
      expect(results.filter(({ ratio }) => ratio > 1)).toEqual([]);
    });
  }
});
