import fc from 'fast-check';
import { expect, it } from 'vitest';
import { candidateName, candidatesOf, MAX_CANDIDATES, parseCandidates } from './candidates.ts';

const values = fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { maxLength: 6 });
const lists = fc.record({ seed: values, length: values, epochs: values }, { requiredKeys: [] });

it('candidatesOf makes every combination once, or says how many are too many', () => {
  fc.assert(
    fc.property(lists, (lists) => {
      const given = Object.values(lists);
      const count = given.reduce((product, { length }) => product * length, 1);
      if (given.length === 0 || count === 0 || count > MAX_CANDIDATES) {
        const refusal = { code: 'bad_setting', setting: 'candidates' };
        expect(() => candidatesOf(lists)).toThrow(expect.objectContaining(refusal));
        return;
      }
      const all = candidatesOf(lists);
      expect(new Set(all.map(candidateName)).size).toBe(count);
      for (const candidate of all) {
        for (const [key, values] of Object.entries(lists)) {
          expect(values).toContain(candidate[key as keyof typeof lists]);
        }
      }
      const text = all.map(candidateName)[0]!.replaceAll(' ', ';');
      expect(parseCandidates(text)).toEqual([all[0]]);
    }),
  );
});
