import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadPage } from './page.ts';

describe('loadPage', () => {
  it('gives the first items that exist, and says whether there are more', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { maxLength: 100 }),
        fc.integer({ min: 1, max: 40 }),
        async (exist, limit) => {
          const ids = exist.map((_, i) => String(i));
          const there = ids.filter((id) => exist[Number(id)]);
          const page = await loadPage(ids, limit, async (id) =>
            exist[Number(id)] ? id : undefined,
          );
          expect(page).toEqual({
            items: there.slice(0, limit),
            hasMore: there.length > limit,
          });
        },
      ),
    );
  });

  it('reads little more than the page', async () => {
    let read = 0;
    const ids = (function* () {
      for (let i = 0; ; i++) yield String(i);
    })();
    await loadPage(ids, 20, async (id) => {
      read++;
      return id;
    });
    expect(read).toBe(21);
  });

  it('gives up a search without an end, and says that there is more', async () => {
    let read = 0;
    const ids = (function* () {
      for (;;) yield String(read++);
    })();
    expect(await loadPage(ids, 20, async () => undefined)).toEqual({ items: [], hasMore: true });
    expect(read).toBeLessThan(2100);
  });
});
