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
