/**
 * The documents of files, read as they stand now: uploads arrive, files expire and removals break off without telling
 * us, so whoever reads a file first brings it up to date.
 */
import {
  type Document,
  type Documents,
  fileKeys,
  jobKeys,
  StorageError,
} from '@polyprompt/storage';
import type { Context } from '../context.ts';
import { isId } from '../ids.ts';
import { Job } from '../jobs/job.ts';
import { isFinished } from '../jobs/transition.ts';
import { type FileRecord, fileNotFound, fileView, StoredFile } from './record.ts';

/** An upload that began in time may take this long. */
const UPLOAD_GRACE_MS = 3600_000;

export class FileRecords {
  readonly #storage: Context['storage'];
  readonly #clock: Context['clock'];
  readonly #documents: Documents<StoredFile>;
  readonly #jobs: Documents<Job>;

  constructor({ storage, clock }: Context) {
    this.#storage = storage;
    this.#clock = clock;
    this.#documents = storage.documents(StoredFile);
    this.#jobs = storage.documents(Job);
  }

  /** @returns undefined when there is no such file, or none any more. */
  async find(tenant: string, id: string): Promise<Document<StoredFile> | undefined> {
    const document = await this.#documents.read(fileKeys(tenant, id).document);
    if (!document) return undefined;
    const { expires, uploadUntil, removed } = document.value;
    const now = this.#clock.now();
    // A removal that was interrupted is completed by whoever comes across it.
    if (removed || (expires !== null && expires <= now)) {
      return (await this.remove(tenant, document)) === undefined ? undefined : document;
    }
    if (uploadUntil === null) return document;
    const arrived = await this.#storage.blobs.head(fileKeys(tenant, id).content);
    if (!arrived && now < uploadUntil + UPLOAD_GRACE_MS) return document;
    const settled = arrived
      ? { bytes: arrived.size, status: 'processed' as const, uploadUntil: null }
      : {
          status: 'error' as const,
          statusDetails: 'the upload did not arrive in time; create the file again',
          uploadUntil: null,
        };
    try {
      return await this.#documents.update(document.key, (file) =>
        file.uploadUntil === null ? undefined : { ...file, ...settled },
      );
    } catch (error) {
      // Removed since it was read.
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** @throws RegistryError `file_not_found` */
  async require(tenant: string, id: string): Promise<Document<StoredFile>> {
    const found = isId('file', id) ? await this.find(tenant, id) : undefined;
    if (!found) throw fileNotFound(id);
    return found;
  }

  /** @throws RegistryError `file_not_found`, and whatever `change` throws */
  async update(
    tenant: string,
    id: string,
    change: (file: StoredFile) => StoredFile | undefined,
  ): Promise<FileRecord> {
    const { key } = await this.require(tenant, id);
    try {
      const { value } = await this.#documents.update(key, (file) => {
        if (file.removed) throw fileNotFound(id);
        return change(file);
      });
      return fileView(value);
    } catch (error) {
      throw isGone(error) ? fileNotFound(id) : error;
    }
  }

  /**
   * Removes record and bytes, unless a job needs them; repeatable, by whoever comes across one that was interrupted.
   * @returns the unfinished job that prevents it, if any
   */
  async remove(tenant: string, document: Document<StoredFile>): Promise<string | undefined> {
    const keys = fileKeys(tenant, document.value.id);
    try {
      for (let seen = document; ; ) {
        const checked = new Set(seen.value.uses);
        const user = await this.#unfinished(tenant, seen.value.uses);
        if (user !== undefined) return user;
        // A job that began to use the file meanwhile has to be looked at too.
        seen = await this.#documents.update(document.key, (file) =>
          !file.removed && file.uses.every((use) => checked.has(use))
            ? { ...file, uses: [], removed: true }
            : undefined,
        );
        if (!seen.value.removed) continue;
        await this.#storage.blobs.remove(keys.content);
        await this.#documents.remove(seen);
        return undefined;
      }
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** A use whose job does not exist is left from a creation that failed. */
  async #unfinished(tenant: string, uses: readonly string[]): Promise<string | undefined> {
    for (const id of uses) {
      const job = await this.#jobs.read(jobKeys(tenant, id).document);
      if (job && !isFinished(job.value.status)) return id;
    }
    return undefined;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'not_found';
}
