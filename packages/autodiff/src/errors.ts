/** Errors found while a graph is being built, compiled or fed: always the caller's to mend. */
export type GraphErrorCode =
  | 'shape_mismatch'
  | 'dtype_mismatch'
  | 'bad_argument'
  | 'no_gradient'
  | 'not_connected'
  | 'bad_feed';

export class GraphError extends Error {
  override readonly name = 'GraphError';
  readonly code: GraphErrorCode;

  constructor(code: GraphErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
