/** What a service answers; the gateway adds the common headers and writes it. */
import type { BlobReader } from '../blobs.ts';

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A streamed body needs `content-length` among the headers. */
  readonly body?: string | BlobReader;
}
