import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from './fair-queue.ts';

interface Item {
  readonly tenant: string;
  readonly n: number;
}

function queueOf(...tenants: string[]): FairQueue<Item> {
  const queue = new FairQueue<Item>();
  tenants.forEach((tenant, n) => {
    queue.add({ tenant, n });
  });
  return queue;
}
const numbers = (items: readonly Item[]) => items.map(({ n }) => n);

describe('FairQueue', () => {
  it('shows one item per tenant in turn, oldest first within each', () => {
    const queue = queueOf('a', 'a', 'a', 'b', 'c', 'b');
    expect(numbers(queue.peek(9))).toEqual([0, 3, 4, 1, 5, 2]);
    expect(numbers(queue.peek(4))).toEqual([0, 3, 4, 1]);
    expect(queue.size).toBe(6);
  });

  it('ends the turn of the tenant whose item was first, and of no other', () => {
    const queue = queueOf('a', 'a', 'b', 'c', 'b');
    queue.take(queue.peek(2));
    expect(numbers(queue.peek(9))).toEqual([4, 3, 1]);
    expect(queue.tenants).toBe(3);
  });

  it('takes an item out of the middle', () => {
    const queue = queueOf('a', 'b', 'a');
    const [, second] = queue.peek(3);
    expect(queue.delete(second!)).toBe(true);
    expect(queue.delete(second!)).toBe(false);
    expect(numbers(queue.peek(9))).toEqual([0, 2]);
    expect(queue.tenants).toBe(1);
  });

  it('makes the oldest item of every tenant first within as many takings as there are tenants', () => {
    const tenant = fc.constantFrom('a', 'b', 'c', 'd');
    // A batch is the first item and any of the others.
    const picks = fc.infiniteStream(fc.boolean());
    fc.assert(
      fc.property(fc.array(tenant, { minLength: 1, maxLength: 40 }), picks, (tenants, pick) => {
        const queue = queueOf(...tenants);
        const waited = new Map<string, number>();
        for (let size = tenants.length; size > 0; ) {
          const [first, ...others] = queue.peek(size);
          const oldest = Math.min(
            ...[first!, ...others]
              .filter((item) => item.tenant === first!.tenant)
              .map(({ n }) => n),
          );
          expect(first!.n).toBe(oldest);
          for (const name of waited.keys()) waited.set(name, waited.get(name)! + 1);
          waited.set(first!.tenant, 0);
          expect(Math.max(...waited.values())).toBeLessThan(4);
          const batch = [first!, ...others.filter(() => pick.next().value)];
          queue.take(batch);
          for (const name of new Set(batch.map((item) => item.tenant))) {
            if (!queue.peek(size).some((item) => item.tenant === name)) waited.delete(name);
          }
          size -= batch.length;
          expect(queue.size).toBe(size);
        }
      }),
    );
  });
});
