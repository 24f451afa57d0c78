/** A start-up or usage problem of the server itself; never sent over the wire. */
export type LocalCloudErrorCode =
  | 'dir_in_use'
  | 'not_loopback'
  | 'bad_credentials_file'
  | 'bad_option';

export class LocalCloudError extends Error {
  override readonly name = 'LocalCloudError';
  readonly code: LocalCloudErrorCode;

  constructor(code: LocalCloudErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A refusal that the client sees: the service's own error code and HTTP status. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: string, status: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.headers = headers;
  }
}
