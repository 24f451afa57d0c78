/** file.json: what is stored of a file beside its bytes, and what callers see of it. */
import { z } from 'zod';
import { RegistryError } from '../errors.ts';

const Time = z.int().nonnegative();
export const Report = z.json();

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
  reports: z.record(z.string(), Report),
});
export type FileRecord = z.infer<typeof FileRecord>;

export const StoredFile = FileRecord.extend({
  /** Jobs that may still need it. */
  uses: z.array(z.string()),
  /** Until when a presigned upload may begin; null once the bytes are there. */
  uploadUntil: Time.nullable(),
  /** Being removed: gone for everybody else. */
  removed: z.boolean(),
});
export type StoredFile = z.infer<typeof StoredFile>;

/** @throws RegistryError `file_not_ready` */
export function assertArrived({ id, status, statusDetails, uploadUntil }: StoredFile): void {
  if (uploadUntil !== null)
    throw new RegistryError('file_not_ready', `the bytes of file "${id}" have not arrived yet`);
  if (status === 'error')
    throw new RegistryError('file_not_ready', `file "${id}" cannot be used: ${statusDetails}`);
}

/** Whether its bytes were to be put to a URL, and were not in time. */
export function neverArrived({ status, uploadUntil, sha256 }: StoredFile): boolean {
  return status === 'error' && uploadUntil === null && sha256 === null;
}

export function fileNotFound(id: string): RegistryError {
  return new RegistryError('file_not_found', `no file "${id}"`);
}

export function fileView({
  uses: _,
  uploadUntil: __,
  removed: ___,
  ...file
}: StoredFile): FileRecord {
  return file;
}
