/**
 * Items in order of arrival within a tenant, tenants in turn. With each taking one tenant's turn is
 * over, so the oldest item of each is first after at most as many takings as there are tenants before
 * it. (If all who got something lost their turn, a tenant could be fed with its later items for ever
 * while its oldest, of an odd length, is passed over.)
 */
export class FairQueue<Item extends { readonly tenant: string }> {
  /** In order of turn. No tenant here has an empty queue. */
  readonly #tenants = new Map<string, Set<Item>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get tenants(): number {
    return this.#tenants.size;
  }

  add(item: Item): void {
    const own = this.#tenants.get(item.tenant);
    if (own) own.add(item);
    else this.#tenants.set(item.tenant, new Set([item]));
    this.#size++;
  }

  /** Takes an item out, wherever it stands; false if it is not there. */
  delete(item: Item): boolean {
    const own = this.#tenants.get(item.tenant);
    if (!own?.delete(item)) return false;
    this.#size--;
    if (own.size === 0) this.#tenants.delete(item.tenant);
    return true;
  }

  /**
   * The next `count` items, one per tenant in turn, then the second of each, and so on; the first is
   * the oldest item of the tenant whose turn it is. Nothing is taken out.
   */
  peek(count: number): Item[] {
    const items: Item[] = [];
    let turns = [...this.#tenants.values()].map((own) => own.values());
    while (turns.length > 0 && items.length < count) {
      turns = turns.filter((turn) => {
        const { value, done } = turn.next();
        if (!done && items.length < count) items.push(value);
        return !done;
      });
    }
    return items;
  }

  /** Takes items out to be served. The turn of the first one's tenant is over. */
  take(items: readonly Item[]): void {
    for (const item of items) this.delete(item);
    const first = items[0];
    const own = first && this.#tenants.get(first.tenant);
    if (!own) return;
    this.#tenants.delete(first.tenant);
    this.#tenants.set(first.tenant, own);
  }
}
