/**
 * Both comparisons, `--quick`, on the models that ship with the project and on real data: through the
 * command, as a user would.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareXtreme } from '../bench/xtreme.ts';

const root = join(import.meta.dirname, '..');
const shared = join(root, '../shared/data');
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-reproduce-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Few languages: the point is the way, from files to report, not the scores. */
const LANGUAGES = ['en', 'de', 'zh'];

describe.skipIf(!existsSync(shared))('polyprompt reproduce (needs ../shared/data)', () => {
  beforeAll(() => {
    const manifest = prepareXtreme(shared, folder);
    const few = Object.entries(manifest)
      .filter(([id]) => ['pawsx', 'udpos', 'ner', 'xquad'].includes(id))
      .map(([id, entry]) => {
        const test = Object.entries(entry.test).filter(([tag]) => LANGUAGES.includes(tag));
        return [id, { ...entry, test: Object.fromEntries(test) }];
      });
    writeFileSync(join(folder, 'reproduce.json'), JSON.stringify(Object.fromEntries(few)));
  });

  it.each([
    ['tu2022', 'polyprompt-mini', ['PAWS-X', 'UD-POS', 'XQuAD', 'NER']],
    ['park2023', 'polyprompt-mini-decoder', ['PAWS-X', 'UD-POS', 'NER']],
  ])(
    '%s on %s',
    async (paper, model, titles) => {
      const out = join(folder, paper);
      const args = [
        'reproduce',
        paper,
        '--backbone',
        join(root, 'models', model),
        '--data',
        folder,
      ];
      const { stdout } = await promisify(execFile)(process.execPath, [
        join(root, 'packages/cli/src/main.ts'),
        ...args,
        ...['--out', out, '--quick', '--seeds', '1', '--test-examples', '12', '--quiet'],
      ]);
      for (const title of titles) expect(stdout).toContain(title);
      const { results, verdicts, departures } = JSON.parse(
        readFileSync(join(out, 'results.json'), 'utf8'),
      );
      expect(results).toHaveLength(titles.length);
      for (const { languages, records } of results) {
        expect(languages.map(({ name }: { name: string }) => name).sort()).toEqual([
          'de',
          'en',
          'zh',
        ]);
        for (const record of records) {
          expect(record.steps).toBeGreaterThan(0);
          for (const { score } of Object.values(record.scores) as { score: number }[]) {
            expect(score).toBeGreaterThanOrEqual(0);
            expect(score).toBeLessThanOrEqual(100);
          }
        }
      }
      // One seed decides nothing, and the report says how little was run.
      const decided = verdicts.filter(({ claim }: { claim: string }) => claim.includes('PAWS-X'));
      expect(decided.map(({ finding }: { finding: string }) => finding)).not.toContain('supported');
      expect(departures.join('\n')).toContain('Setting examples is 96');
      expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('<svg');
    },
    600_000,
  );
});
