import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inGroups } from './groups.ts';
import { all } from './test-registry.ts';

it('groups keep the order, are full but for the last, and ask for no more than the limit', async () => {
  const limits = fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer(), { maxLength: 25 }),
      fc.integer({ min: 1, max: 9 }),
      limits,
      async (items, size, limit) => {
        let asked = 0;
        async function* source() {
          for (const item of items) {
            asked++;
            yield item;
          }
        }
        const groups = await all(inGroups(source(), size, limit));
        expect(groups.flat()).toEqual(items.slice(0, limit));
        expect(asked).toBe(Math.min(items.length, limit ?? items.length));
        expect(groups.slice(0, -1).every((group) => group.length === size)).toBe(true);
        expect(groups.every((group) => group.length > 0 && group.length <= size)).toBe(true);
      },
    ),
  );
});
