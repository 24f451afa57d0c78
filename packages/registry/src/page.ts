/** One page of a listing. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
}

export interface PageOptions {
  /** Items on the page. */
  readonly limit: number;
  /** Id of the last item of the page before. */
  readonly after?: string | undefined;
}

const CONCURRENT_READS = 16;
/** How many entries beyond the page a listing looks at, where entries may be left out of it. */
const SEARCH_LIMIT = 2000;

/**
 * Loads what `ids` names, in order, until the page is full; what loads as undefined is left out. Gives up after
 * `searchLimit` entries left out: the page is then short, and `hasMore`.
 */
export async function loadPage<T>(
  ids: AsyncIterable<string> | Iterable<string>,
  limit: number,
  load: (id: string) => Promise<T | undefined>,
  searchLimit = SEARCH_LIMIT,
): Promise<Page<T>> {
  const items: T[] = [];
  let leftOut = 0;
  let batch: string[] = [];
  const flush = async () => {
    const loaded = await Promise.all(batch.map(load));
    batch = [];
    for (const item of loaded) {
      if (item === undefined) leftOut++;
      else items.push(item);
    }
  };
  for await (const id of ids) {
    batch.push(id);
    if (batch.length < Math.min(CONCURRENT_READS, limit + 1 - items.length)) continue;
    await flush();
    if (items.length > limit || leftOut >= searchLimit) break;
  }
  await flush();
  return {
    items: items.slice(0, limit),
    hasMore: items.length > limit || leftOut >= searchLimit,
  };
}

/** One page of what is already in memory, of the items behind the page before. */
export function slicePage<T>(
  items: readonly T[],
  limit: number,
  isBehind: (item: T) => boolean = () => true,
): Page<T> {
  const rest = items.filter(isBehind);
  return { items: rest.slice(0, limit), hasMore: rest.length > limit };
}
