/** Items in groups of at most `size`, the last one smaller; no more than `limit` of them are asked for. */
export async function* inGroups<T>(
  items: AsyncIterable<T>,
  size: number,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly T[]> {
  let group: T[] = [];
  let taken = 0;
  for await (const item of items) {
    group.push(item);
    taken++;
    if (group.length < size && taken < limit) continue;
    yield group;
    group = [];
    if (taken >= limit) return;
  }
  if (group.length > 0) yield group;
}
