import type { Readable } from 'node:stream';
import type { ByteRange, PresignedPut } from '@polyprompt/storage';
import { z } from 'zod';
import type { Page, PageOptions } from './page.ts';

const Time = z.int().nonnegative();

export const FileRecord = z.object({
  id: z.string(),
  filename: z.string(),
  purpose: z.string(),
  bytes: z.int().nonnegative(),
  /** In hex; null when the bytes were uploaded past us. */
  sha256: z.string().nullable(),
  created: Time,
  expires: Time.nullable(),
  /** uploaded: bytes outstanding; processed: ready; error: see `statusDetails`. */
  status: z.enum(['uploaded', 'processed', 'error']),
  statusDetails: z.string().nullable(),
  /** Validation reports by task, as the validator gave them. */
  reports: z.record(z.string(), z.json()),
});
export type FileRecord = z.infer<typeof FileRecord>;

export interface NewFile {
  readonly filename: string;
  readonly purpose: string;
  readonly expires?: number | null;
}

export interface Files {
  /** Streams the bytes to the store. @throws RegistryError `too_large`, and whatever `body` throws. */
  create(
    tenant: string,
    file: NewFile & { body: AsyncIterable<Uint8Array>; maxBytes?: number; signal?: AbortSignal },
  ): Promise<FileRecord>;
  /** A file whose bytes are to be PUT to a URL, which the file is processed after. */
  presign(
    tenant: string,
    file: NewFile & { bytes: number; expiresSeconds?: number },
  ): Promise<{ file: FileRecord; upload: PresignedPut & { expires: number } }>;
  /** @throws RegistryError `file_not_found` */
  get(tenant: string, id: string): Promise<FileRecord>;
  /** By time of creation; `order` 'desc' by default. */
  list(
    tenant: string,
    page: PageOptions & { order?: 'asc' | 'desc'; purpose?: string | undefined },
  ): Promise<Page<FileRecord>>;
  /** The bytes as a stream, to be read to its end or destroyed. @throws RegistryError `file_not_found`, `file_not_ready` */
  content(
    tenant: string,
    id: string,
    options?: { range?: ByteRange; signal?: AbortSignal },
  ): Promise<{ file: FileRecord; body: Readable }>;
  /** @throws RegistryError `file_not_found`, `file_in_use` */
  remove(tenant: string, id: string): Promise<void>;
  setStatus(
    tenant: string,
    id: string,
    status: FileRecord['status'],
    details?: string | null,
  ): Promise<FileRecord>;
  setReport(
    tenant: string,
    id: string,
    task: string,
    report: z.infer<ReturnType<typeof z.json>>,
  ): Promise<FileRecord>;
}
