/** Small translations between the registry's words and the wire's that many resources share. */
import { ApiError } from '@polyprompt/contract';
import type { Page } from '@polyprompt/registry';

/** The registry counts milliseconds, the wire seconds. */
export function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

export function secondsOrNull(milliseconds: number | null): number | null {
  return milliseconds === null ? null : seconds(milliseconds);
}

/** A page as OpenAI's clients read it. */
export function listOf<Item, T extends { readonly id: string }>(
  { items, hasMore }: Page<Item>,
  map: (item: Item) => T,
) {
  const data = items.map(map);
  return {
    object: 'list' as const,
    data,
    has_more: hasMore,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}

/**
 * The number at the end of an id that was made of one, such as an event's: what `after` carries where
 * the registry pages by number.
 * @throws ApiError `invalid_value`
 */
export function numberAtEnd(id: string | undefined, param = 'after'): number | undefined {
  if (id === undefined) return undefined;
  const [, digits] = /(?:^|[-:])(\d{1,15})$/.exec(id) ?? [];
  if (digits !== undefined) return Number(digits);
  const message = `${param}: expected the id of the last item of the page before`;
  throw ApiError.unprocessable('invalid_value', message, param);
}
