export type StorageErrorCode =
  /** A key segment that is not allowed. */
  | 'bad_key'
  /** An option out of its range. */
  | 'bad_option'
  /** Create: something is already stored under the key. */
  | 'exists'
  | 'not_found'
  /** The object changed under a conditional remove or an open read. */
  | 'conflict'
  /** Too many lost races in one update. */
  | 'contended'
  /** A write was sent, its answer was lost, and the history no longer shows whether it took effect. */
  | 'unknown_outcome'
  /** What is stored does not have the form or the checksum that it should have. */
  | 'corrupt'
  | 'lease_lost'
  /** The receipt of a queue message is no longer the valid one. */
  | 'message_lost'
  /** The store refused the credentials. */
  | 'denied'
  /** The store did not answer properly, retries included. */
  | 'unavailable';

/** Every failure of this package. `key` names the object, lease or queue concerned. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  readonly key: string | undefined;

  constructor(
    code: StorageErrorCode,
    message: string,
    options: { key?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.key = options.key;
  }
}
